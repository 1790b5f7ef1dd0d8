"""Chaos: a plant of 200 devices is watched while everything around the detector service fails, again and again.

What is proven. Devices send readings at QoS 1 to a real mosquitto; the service stores what it makes of them in SQLite
and in a real database. Meanwhile the service is killed, told to end in the middle of a batch, finds its disk full, its
database away for longer than any retry or refusing its credentials, and the broker is killed. When all is well again:

- lost: readings that have no verdict in SQLite, or no score in the database, and events that are missing there;
- doubled: readings that the service has taken twice, and verdicts, scores or events of nothing that was sent;
- differing: flags, scores and events that are not those of an undisturbed run, which the library makes of the same
  readings in one piece, and events told on MQTT that it does not tell;

all three have to be none, and the service's memory has to stay bounded. The model judges every reading (stride 1), so
"scored exactly once" is meant of each.

What is not compared: many devices at once told as one. What is at once depends on what has arrived when an event is
told, and what has arrived is what is disturbed here; so that is off.

What is not the service's to promise. A mosquitto that is killed forgets what it has acknowledged since it wrote its
state last (`autosave_interval 1`: up to a second; writing on every change costs a disk flush per message and still
loses the last one). So the devices do what devices with a store-and-forward buffer do: whatever has not been in the
store for some seconds they keep, and after a lost connection they send it again, in order and with its own times, also
where the broker had acknowledged it. Some readings arrive two and three times for that; they are to be scored once.
Likewise VictoriaMetrics loses the last seconds when it is killed, so it is told to end; InfluxDB is killed.
"""
