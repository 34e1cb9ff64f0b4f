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
// A device has one presence key, 32 random bytes in its store. Who holds the key
// can read its beacons, so the key is handed over only on such a stream, each
// holder is recorded before it gets the key, and when one of them loses the
// permission the key is replaced before the next beacon is sealed.
//
// # What a state means
//
// Online, away, busy and offline are the origin's own words. Unknown means that
// nothing is known: the connection or its stream ended without a farewell, three
// keep-alives are missing, or nothing was ever heard. Presence.LastSeen says how
// old the last word is. Offline, once said, holds until the device speaks again,
// whether it is connected or not: it said so itself. After a restart of this
// device everything is unknown, only the time it was last heard is kept.
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
// and its body, in deterministic CBOR:
//
//	key  field      type
//	 1   seq        uint    max(last + 1, Unix milliseconds), durable before it is sent
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
// # Disk
//
//	presence_choice   "own"        {1 state, 2 text, 3 since, 4 rev}  what the user set
//	presence_key      "own"        {1 key, 2 seq of the newest beacon}
//	presence_holders  peer's ODID  {1 when it got the present key}
//	presence_seen     peer's ODID  {1 last heard, 2 its highest seq}, every 5 minutes and at stop
package presence
