// Package message carries messages between devices: an outbox that waits as long
// as it must, delivery that loses nothing and repeats nothing, and the history.
//
// # On the wire
//
// Whoever has messages for a contact opens one stream of Protocol to it and is
// its sender; messages the other way have a stream of their own. Frames are
// those of transport.WriteFrame: a length, then a CBOR map with integer keys.
//
//	receiver                              sender
//	   | HELLO {own epoch, what I have} ->  |   or REFUSED {words}
//	   |                                    |
//	   |  <- MSG {epoch, seq, id, ...}      |   up to 1024 frames or 1 MiB
//	   |  <- MSG                            |   before the first ACK
//	   |  <- SKIP {epoch, from..to, why}    |
//	   |       (one transaction)            |
//	   | ACK {epoch, seq} ->                |   of all up to seq
//
//	key  field  type       in
//	 1   type   uint       all: 1 HELLO, 2 MSG, 3 SKIP, 4 ACK, 5 REFUSED
//	 2   epoch  bytes[24]  HELLO (the receiver's own), MSG, SKIP, ACK
//	 3   seq    uint       MSG, ACK; the first number of a SKIP
//	 4   to     uint       SKIP: the last number
//	 5   id     bytes[16]  MSG: UUIDv7
//	 6   at     uint       MSG: Unix milliseconds of the sender's clock
//	 7   kind   text       MSG: "text", or what a newer version knows
//	 8   body   bytes      MSG: at most 64 KiB
//	 9   why    uint       SKIP: 1 cancelled, 2 expired, 3 no longer kept
//	10   words  text       REFUSED: for the user, at most 256 bytes
//	12   later  bool       REFUSED: it is the receiver that can't store them now,
//	                       as with a full disk; true or left out
//	11   have   map        HELLO: {1: epoch, 2: seq, 3: id}, the newest held of
//	                       the sender; zeros for nothing
//
// Within an epoch numbers rise by one, a new epoch begins with 1. A receiver
// resets the stream at a gap, and stores nothing of the batch.
//
// # Exactly once
//
//   - A message gets its number in a transaction before it is first sent, and
//     keeps it: the same number never bears two messages of one store. It is the
//     transaction that queues it if a stream is open and has sent all before it,
//     else one of the stream's.
//   - The receiver stores a batch, its place in the sequence and the ids in one
//     transaction, and acknowledges afterwards. So what HELLO names is what the
//     receiver has on disk, whatever crashed in between.
//   - The sender takes a message out of the outbox only when ACK or HELLO
//     covers it. That is written with the next commit, for which nobody waits:
//     lost with the power, it is said again by the next HELLO.
//   - A message whose id is held is acknowledged and not stored again.
//   - A sender that learns of a number it never gave, or of another message
//     under one it gave, is a restored copy: it begins a new epoch, later than
//     all that either side knows, and sends what is unacknowledged in that.
//     What a copy put back by hand, without NewEpoch, does not know is that a
//     message was cancelled after the copy was made: it may show as delivered.
//   - A receiver that has less than it acknowledged is a restored copy: it gets
//     the rest again from the sender's history.
//   - A number whose message was cancelled, has expired or is lost becomes a
//     SKIP, which the receiver keeps as a visible gap. No queue waits for a
//     number that will not come.
//
// # On disk
//
// Times are Unix milliseconds. order counts the messages with one contact, both
// ways, as they were written here.
//
//	table            key                       record
//	message.history  contact[32] order[8]      the message; it is not written
//	                                           again when it was delivered
//	message.id       id[16]                    contact, order, direction
//	message.outbox   contact[32] order[8]      what waits: since when, its number
//	message.sent     contact[32] epoch[24] seq[8]  numbers in a row given to
//	                                           messages in a row: order, count
//	message.delivered  contact[32] order[8]    when it and those before it, as far
//	                                           as they left the outbox and nothing
//	                                           else is said of them, had arrived
//	message.peer     contact[32]               last order and numbers, read up to,
//	                                           failed attempts
//	message.self     "self"                    own epoch, how many wait
//
// The ids of incoming messages stay as long as the history does, which is longer
// than any message can wait.
//
// # Delivery
//
// A contact with a queue has a lane. It is tried when a message is queued, when
// a connection comes, on Wake, and at a time written down, 5 s to 15 min after a
// failure, a minute at most if the failure was a full disk; one timer waits for the
// earliest, nothing polls. A goroutine and a stream exist only while there is
// something to do and a little after. What waited for 30 days fails, with an event.
//
// Whoever is connected is delivered to at once. The others take turns at 16 dials,
// so that however many are away, they hold up nobody:
//
//   - Who was tried in vain gets 12 of the dials at most, and goes after who was not.
//   - A dial is given up after 5 s, the next of the contact after 10, then 20.
//   - Of two that came at about the same time the one with the smaller queue goes
//     first; a queue of twice the size makes 5 s. So nobody waits for ever.
//   - A contact that nobody knows an address of is not tried: it waits for a
//     connection, for Wake or for Found, and costs neither a dial nor a commit.
//
// Failed attempts are written down together, every 5 s at most.
package message
