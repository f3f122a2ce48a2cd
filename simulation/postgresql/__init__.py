"""The PostgreSQL backend, with a switch of threads at every statement and every commit; one that waits is set aside."""
