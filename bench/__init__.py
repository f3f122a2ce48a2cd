"""How fast it is: this server and a bare Django view in turns, on one machine, with a CRM of fixed latency."""
