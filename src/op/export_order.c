#include "op/export_order.h"

#include <string.h>

/* What is put in order: a table, or a partitioned one with all its partitions. A node waits for
 * those that its foreign keys refer to. */
typedef struct Node {
    const Relation *root;
    size_t first, tables;   /* of the list sorted by root */
    size_t waits;           /* for so many nodes (one that is referred to twice counts twice) */
    size_t edges, edge_end; /* those that wait for it: places in Graph.edges */
    bool placed;
    size_t place;
} Node;

typedef struct Edge {
    size_t from, to; /* nodes: `from` refers to `to` */
    const Relation *table;
    const RelationForeign *foreign;
} Edge;

typedef struct Graph {
    const RelationList *relations;
    const ExportTable **tables; /* sorted by root, then as they came */
    Node *nodes;                /* sorted by the root's OID */
    size_t node_count;
    Edge *edges; /* sorted by to */
    size_t edge_count, edge_cap;
} Graph;

static void graph_clear(Graph *g)
{
    free(g->tables);
    free(g->nodes);
    free(g->edges);
}
DEFINE_AUTO_VALUE(Graph, graph_clear)

void export_order_clear(ExportOrder *o)
{
    free(o->tables);
    free(o->loops);
    *o = (ExportOrder){0};
}

static int by_root(const void *a, const void *b)
{
    const ExportTable *x = *(const ExportTable *const *)a, *y = *(const ExportTable *const *)b;
    if (x->root->oid != y->root->oid)
        return x->root->oid < y->root->oid ? -1 : 1;
    return x < y ? -1 : x > y; /* both of one array: as they came */
}

static void make_nodes(Graph *g, const ExportTables *tables)
{
    g->tables = mem_calloc(tables->count + 1, sizeof(ExportTable *));
    g->nodes = mem_calloc(tables->count + 1, sizeof *g->nodes);
    for (size_t i = 0; i < tables->count; i++)
        g->tables[i] = &tables->items[i];
    mem_sort(g->tables, tables->count, sizeof(ExportTable *), by_root);
    for (size_t i = 0; i < tables->count; i++) {
        Node *last = g->node_count ? &g->nodes[g->node_count - 1] : NULL;
        if (last && last->root == g->tables[i]->root)
            last->tables++;
        else
            g->nodes[g->node_count++] = (Node){.root = g->tables[i]->root, .first = i, .tables = 1};
    }
}

static Node *node_of(const Graph *g, uint32_t oid)
{
    const Relation *r = relation_find_oid(g->relations, oid);
    uint32_t root = r && r->root ? r->root : oid;
    size_t low = 0, high = g->node_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (g->nodes[middle].root->oid == root)
            return &g->nodes[middle];
        if (g->nodes[middle].root->oid < root)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void add_edges(Graph *g, Node *from, const Relation *r)
{
    for (size_t i = 0; i < r->foreign_count; i++) {
        const Node *to = node_of(g, r->foreigns[i].target);
        if (!to) /* not in the export: its rows are taken to be there */
            continue;
        mem_grow(g->edges, g->edge_count, g->edge_cap);
        g->edges[g->edge_count++] = (Edge){.from = (size_t)(from - g->nodes),
                                           .to = (size_t)(to - g->nodes),
                                           .table = r,
                                           .foreign = &r->foreigns[i]};
    }
}

static int by_target(const void *a, const void *b)
{
    const Edge *x = a, *y = b;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return x->from < y->from ? -1 : x->from > y->from;
}

static void make_edges(Graph *g)
{
    for (size_t i = 0; i < g->node_count; i++) {
        Node *n = &g->nodes[i];
        add_edges(g, n, n->root);
        for (size_t k = 0; k < n->tables; k++)
            if (g->tables[n->first + k]->relation != n->root)
                add_edges(g, n, g->tables[n->first + k]->relation);
    }
    mem_sort(g->edges, g->edge_count, sizeof *g->edges, by_target);
    for (size_t i = 0; i < g->edge_count; i++) {
        Node *to = &g->nodes[g->edges[i].to];
        if (!to->edge_end)
            to->edges = i;
        to->edge_end = i + 1;
        if (g->edges[i].from != g->edges[i].to)
            g->nodes[g->edges[i].from].waits++;
    }
}

/* Places a node; those that waited for it alone go onto the stack of what can be placed. */
static void place(Graph *g, size_t node, ExportOrder *o, size_t *ready, size_t *ready_count)
{
    Node *n = &g->nodes[node];
    n->placed = true;
    n->place = o->count;
    for (size_t k = 0; k < n->tables; k++)
        o->tables[o->count++] = g->tables[n->first + k];
    for (size_t i = n->edges; i < n->edge_end; i++) {
        size_t from = g->edges[i].from;
        if (from != node && --g->nodes[from].waits == 0 && !g->nodes[from].placed)
            ready[(*ready_count)++] = from;
    }
}

void export_order_make(const RelationList *relations, const ExportTables *tables, ExportOrder *out)
{
    AUTO_VALUE(Graph) g = {.relations = relations};
    make_nodes(&g, tables);
    make_edges(&g);
    *out = (ExportOrder){.tables = mem_calloc(tables->count + 1, sizeof(ExportTable *))};
    size_t *ready = mem_calloc(g.node_count + 1, sizeof *ready), ready_count = 0;
    for (size_t i = g.node_count; i-- > 0;)
        if (!g.nodes[i].waits)
            ready[ready_count++] = i;
    /* When nothing can be placed there are cycles: the next one is placed although it refers to
     * what comes later. */
    for (size_t next = 0; next < g.node_count;) {
        if (ready_count)
            place(&g, ready[--ready_count], out, ready, &ready_count);
        else if (g.nodes[next].placed)
            next++;
        else
            place(&g, next, out, ready, &ready_count);
    }
    free(ready);
    for (size_t i = 0; i < g.edge_count; i++) {
        const Edge *e = &g.edges[i];
        if (g.nodes[e->from].place > g.nodes[e->to].place)
            continue;
        mem_grow(out->loops, out->loop_count, out->loop_cap);
        out->loops[out->loop_count++] = (ExportLoop){.table = e->table, .foreign = e->foreign};
    }
}
