// Package presence tells permitted contacts whether this device's user is there,
// and learns the same of them.
//
// # Who learns what
//
// A device tells its state to connected contacts that list it and that it gives
// the permission `status` (contact.Presence), and to nobody else: no stream is
// opened to others. It sends on a stream of its own to each of them; what it
// hears arrives on the streams that they open.
//
// Contacts that see each other's state also pass on what they hear of those whom
// both know (Gossip, below).
//
// A device has one presence key, 32 random bytes in its store. Who holds the key
// can read its beacons, so the key is handed over only on such a stream, each
// holder is recorded before it gets the key, and when one of them loses the
// permission the key is replaced before the next beacon is sealed.
//
// # What a state means
//
// Online, away, busy and offline are the origin's own words. Unknown means that
// nothing is known: the connection or its stream broke, three keep-alives are
// missing, nothing was ever heard, or what came through others was not renewed.
// Presence.LastSeen says how old the last word is. A stream that ends cleanly and
// without a farewell says that there is no room for the connection: then the state
// holds for another 15 minutes. Offline, once said, holds until the device speaks again,
// whether it is connected or not: it said so itself. After a restart of this
// device everything is unknown, only the time it was last heard is kept.
//
// Away is also said for a user who chose online and whom nobody saw do anything for
// some minutes (activity.go). Programs that can tell report it; without one nothing is
// assumed.
//
// Who is invisible sends one offline beacon without addresses and then nothing,
// not even keep-alives. That a connection stands may still show.
//
// # Wire
//
// The stream /contacts/presence/1 goes one way, from the device that opened it.
// Frames are those of transport.WriteFrame, at most 2048 bytes:
//
//	key  field   type
//	 1   key     bytes[32]  presence key; in the first frame, and when it is replaced
//	 2   beacon  bytes      sealed beacon
//	 3   clock   uint       Unix milliseconds at the origin as the frame is sent; with key and beacon
//
// A frame without key and beacon is a keep-alive: two bytes, 01 a0. It is sent
// every 60 s, give or take a tenth. Unknown fields are ignored.
//
// A sealed beacon:
//
//	nonce       24 bytes, random
//	ciphertext  XChaCha20-Poly1305(presence key, nonce, envelope, additional data = origin's 32-byte ODID)
//
//	envelope = {1: body bytes, 2: Ed25519 signature of "contacts/beacon/1" ‖ 00 ‖ body}
//
// The signature is for those who get the beacon through others. On a stream of its
// origin the connection has proven who speaks, so it is not checked there, but before
// the beacon is passed on.
//
// and its body, in deterministic CBOR:
//
//	key  field      type
//	 1   seq        uint    max(last + 1, Unix milliseconds); the store has a higher one before it is sent
//	 2   state      uint    1 online, 2 away, 3 busy, 4 offline
//	 3   text       text    optional, at most 140 characters
//	 4   since      uint    Unix milliseconds, when the state began
//	 5   sent       uint    Unix milliseconds, when the beacon was made
//	 6   validity   uint    seconds after sent in which it may be taken
//	 7   addresses  [text]  optional, at most 16 of at most 256 bytes: where the origin can be reached
//	 8   (reserved for the id of a prekey)
//
// All times are the origin's. A receiver takes the difference between the clocks
// from the frame's clock, so that a wrong clock hides nobody; a beacon without
// one is judged with 10 minutes of tolerance.
//
// Once taken, a state holds for as long as keep-alives follow on its stream;
// validity bounds how late a beacon may arrive.
//
// # Gossip
//
// The stream /contacts/gossip/1 is another protocol: it goes both ways, another
// rule says who may, it can be turned off, and what goes wrong on it does not
// touch the states of those connected. Two connected devices hold one, a link,
// if each gives the other the permission `status` and neither is invisible. The
// one with the smaller ODID opens it, the other one after 5 s. It lasts a day.
//
// A topic is HMAC-SHA256(presence key, "contacts/topic/1" ‖ 00 ‖ UTC day, 8 bytes);
// its mask is HMAC-SHA256(topic, author's ODID ‖ author's nonce ‖ the other's nonce),
// of which 8 bytes are used. So a mask means something to those alone who hold
// the key, on this link alone, and can't be said back. What another device names
// is compared with the topics of yesterday, today and tomorrow.
//
//	key  field   type
//	 1   nonce   bytes[32]  the first frame of each side
//	 2   know    masks      topics the author knows, by its own masks; at first all,
//	                        with decoys up to a power of two, sorted; later what is new
//	 3   more    bool       know goes on in the next frame
//	 4   forget  masks      topics it does not know any more
//	 5   have    claims     it has this beacon to pass on; seq 0: it has one that
//	                        comes from too far away
//	 6   pull    claims     it wants what is newer than this seq, and what comes later
//	 7   stop    masks      somebody else brings it these
//	 8   news    {1: mask, 2: seq, 3: hops, 4: sealed beacon}
//
// Masks are 8 bytes each, claims 17: mask, seq, hops. In have, pull, stop and news
// they are those of who is told. A frame has at most 4096 bytes, 256 masks and 128
// claims; a side names at most 16,384 topics.
//
// A beacon is opened and verified by each device on its way, which must hold the
// key; it is passed on by at most 3, never to its origin nor to where it came
// from. Of one topic a device pulls from one link, whoever brought news first;
// to others it says stop. So a change comes once to each, and costs what it has
// not: about 1.3 times the bytes of telling each. On connecting both sides say have
// of what both know. Who waits in vain asks another: at once when the link is
// gone, 90 s before a state ends when it is not, again when it has ended. Who has
// news from too far away, and somebody waiting for them, pulls from another one,
// too, and stays with whoever brought them over fewer devices.
//
// A pull of the peer's own topic asks it to renew its beacon when that is 12 minutes
// old: somebody beyond hears it. Else nothing is renewed.
//
// What came through others counts while the origin's own stream does not stand, by
// the highest seq, until the beacon's validity ends. A device keeps the keys that
// were handed to it, and how far the origin's clock is off, by which validity is
// judged. A new key replaces the one before when it comes, on the origin's own
// stream alone: who does not hold it yet hears nothing through others.
//
// Limits: of an origin one beacon a second (5 at once) is taken, of a link 100
// frames a second (2000 at once), topics named anew every 5 s (64 at once), a link
// with one contact every 10 s (6 at once). Who passes on what its origin did not
// sign is not gossiped with for 15 minutes.
//
// # Disk
//
//	presence_choice   "own"        {1 state, 2 text, 3 since, 4 rev}  what the user set
//	presence_key      "own"        {1 key, 2 a seq that no beacon has reached}
//	presence_holders  peer's ODID  {1 when it got the present key}
//	presence_held     peer's ODID  {1 its key, 2 milliseconds this device's clock is ahead}
//	presence_seen     peer's ODID  {1 last heard, 2 its highest seq}, every 5 minutes and at stop
package presence
