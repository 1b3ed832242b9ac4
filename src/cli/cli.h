/* The command line: reads it, runs the operation, prints what came of it. */
#ifndef PGSTOW_CLI_CLI_H
#define PGSTOW_CLI_CLI_H

/* The whole program; returns its exit status (0, or that of the error's kind). */
int cli_main(int argc, char **argv);

#endif
