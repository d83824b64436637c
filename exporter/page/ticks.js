// A worker that says each second that a second has passed: the timers of a hidden tab may run only once a minute.

setInterval(() => postMessage(null), 1000);
