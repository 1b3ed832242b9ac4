-- One day in the life of the little shop: some orders move on, some are new, a price changes.
SET search_path = public;
UPDATE orders SET state = 'shipped' WHERE id % 997 = 0;
UPDATE products SET price = price + 1 WHERE id IN (7, 70, 700);
DELETE FROM order_items WHERE order_id = 4242;
INSERT INTO orders (customer_id, state, ordered)
SELECT 1 + upto(25000, i), 'paid', timestamptz '2024-08-07 00:00+00' + i * interval '3 minutes'
FROM generate_series(1, 300) AS i;
INSERT INTO order_items (order_id, line, product_id, quantity)
SELECT id, 1, 1 + upto(3000, id), 1 FROM orders WHERE id > 120000;
INSERT INTO events (at, body)
SELECT timestamptz '2024-08-07 00:00+00' + i * interval '40 seconds',
       jsonb_build_object('kind', 'view', 'session', md5('day' || i), 'product', 1 + upto(3000, i))
FROM generate_series(1, 2000) AS i;
