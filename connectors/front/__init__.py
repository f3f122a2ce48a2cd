"""Between the web server and Django: bodies and lines are waited for here, so that no thread waits for either."""
