// Package sim runs many whole devices in one process and looks for what must never
// be: real nodes on real stores, over transport/memnet, in a testing/synctest
// bubble, in which days pass in seconds. One seed decides what users do, what the
// network is like, and what fails when (Plan). The Go scheduler stays free, so the
// same seed may run differently; a run keeps a timeline that a person can read,
// and a failing seed is run again until it fails again.
//
// # What happens
//
// Users pair, add by ODID, remove, add again, block, unblock, withdraw permissions,
// ask for some, accept, reject, report and take back requests, conspire, choose who may ask, rename and
// describe themselves, look at profiles, set their presence, send, cancel and check
// what others hold of them. The network has links of their own latency, jitter and loss, which a stream shows
// as delay, so that streams overtake each other; some are as slow and short-lived as
// those over a relay. Links are cut, one way or both, connections end or are doubled.
// Devices stop, or crash at a frame or commit of the seed's choice, and come back with
// what was on the disk at the last sync; disks fill; clocks jump by up to a day; a
// device is restored from an old copy of its store.
//
// # What is looked at
//
// Belief holds what the users know: who did what about whom, which message was
// accepted. While a run goes on, and when the network has healed, all devices are
// there and time has passed, the devices are compared with it and with each other:
//
//   - list: a device lists and blocks whom its user listed and blocked; a removed
//     contact never comes back but by the user's own act or a pairing of theirs.
//   - mirror: both sides of every relation hold the same of it once they met.
//   - consent: nobody lets another have more than its user gave, and what was given
//     with a request goes with it.
//   - request: what is asked on one side waits on the other or was answered; what
//     waits was asked for, is counted, and has a place; nobody hears an answer that
//     no user gave.
//   - credit: a request to a device that is not paired was paid for, whatever crashed,
//     and nothing was paid for one that was not made.
//   - stamp: stamps are taken once, and of whom they were asked for; two intruders try
//     otherwise when all else is over.
//   - report: a device holds no report that nobody made, and keeps a request apart only
//     if three others have reported who asks, and it is not paired with it.
//   - name: contacts know what a device calls itself.
//   - profile: contacts keep what a device tells of itself now, who looks sees what it
//     told then, and it tells nothing to whom it has removed or blocked.
//   - trust: paired on one side is paired on the other, and came of a pairing.
//   - lost, double, order, phantom: of each sender, a receiver holds exactly what
//     was accepted, once, in order.
//   - state: what a sender calls delivered is at the receiver, what can be
//     delivered does not wait.
//   - leak: who was removed, blocked or denied gets no byte of presence, gossip or
//     messages, and no answer to a check.
//   - key: nobody who may not see how a user is holds the key to a new beacon.
//   - allow: no message is taken that the user does not allow at that moment.
//   - presence: permitted contacts know how it is, others know nothing.
//   - code: a code pairs once, and only who typed it.
//   - check: the answer to a check is what the asked user holds; of blocks nothing
//     is told.
//   - guess: every wrong code counts, over crashes.
//   - events: the journal tells what the tables hold.
//   - store: every record of every store is sound.
//   - run: every device starts, stops and comes to rest.
package sim
