// Package pairing makes two devices contacts that trust each other by a code of
// six digits, or by a link: one device shows it (S), the other enters it (E).
//
// # Why not simply a key
//
// Six digits are 20 bits. Used as a key they would fall to whoever answers a
// single handshake and tries all 10^6 codes at home. So a PAKE comes first
// (CPace, cpace.go): all that leaves a device and depends on the code gives the
// other side one guess, online, and guesses are counted (limits.go). The PAKE's
// strong key then becomes the pre-shared key of a Noise handshake (noise.go),
// within which the devices introduce themselves and from which they take a name
// and a secret for their pairing.
//
// # Codes and windows
//
// Codes exist while a window is open, that is while somebody looks at them
// (window.go). S alone computes them (RFC 6238, 30 s, a secret of its own for each
// window) and accepts only codes that it has really displayed, while displayed
// and 30 s more (code.go). A code pairs once.
//
// Wrong codes are counted (limits.go). After 20 of a window or 60 of a day the
// window shows nine digits in place of six, after 300 of those links only. A link
// (link.go) names the device and holds a secret of 128 bits in place of a code: it
// has one round, pairs once, and needs no counting. From the third wrong code on S
// lists who tries to pair, and its user may have one device served alone
// (waiting.go). Rounds and places are shared out by where peers connect from
// (pace.go, places.go).
//
// # A session
//
// One stream of Protocol. Every frame is
//
//	length  u16, big endian, of the body: at most 256 up to CONFIRM, 2048 after
//	type    u8
//	body
//
// and a session is
//
//	E → S  01 HELLO    version u8 = 1, suite u8 = 1, kind u8 (1 code, 2 link), nameplate (u8 length, ASCII), nE[32]
//	S → E  02 OFFER    round u8, nS[32], Ys[32]
//	E → S  03 PROVE    round u8, Ye[32], Te[64]
//	S → E  0F REJECT   reason u8, more u8 (1: an OFFER for round 2 follows)
//	S → E  04 CONFIRM  Ts[64], first Noise message [48]
//	E → S  05          second Noise message, with E's payload
//	S → E  06          third Noise message, with S's payload
//	E → S  07 ACK      Noise transport message, empty
//
// REJECT may stand in place of OFFER and CONFIRM. Reasons: 1 wrong code (also one
// that is expired or used up: which, nobody is told), 2 busy, 3 too many wrong
// codes, 4 version or suite unknown, 5 kind not served, 6 nameplate unknown.
//
// E proves first. S reveals nothing that depends on the code before it has seen a
// valid Te, so a session that is broken off has cost E nothing and taught it
// nothing; and S is the one who counts.
//
//	sid      = nE ‖ nS ‖ round
//	CI       = lv("contacts/pair/1", version ‖ suite ‖ kind, nameplate, "S", key of S, "E", key of E)
//	PRS      = the ASCII digits of the code, or the 16 bytes of the link's secret
//	prologue = SHA-256(all frames up to the accepted PROVE ‖ Ts ‖ key of S ‖ key of E)
//	psk      = HKDF-SHA256(ISK, salt sid, "contacts/pair/1 noise-psk")
//
// The keys are the Ed25519 keys of the connection, never of the wire: whoever
// relays between two devices makes them compute different generators. CPace's
// party A is S. Noise is Noise_XXpsk0_25519_ChaChaPoly_SHA256 with S as the
// initiator. After its third message both derive, from ISK ‖ handshake hash,
//
//	pair id     = HKDF-SHA256(…, no salt, "contacts/pair/1 pair-id")[:16]
//	pair secret = HKDF-SHA256(…, no salt, "contacts/pair/1 pair-secret")[:32]
//
// # Who is paired when
//
// No number of messages makes two devices agree that the last one arrived. So E
// commits when it has message 06, before it acknowledges. S makes the pairing
// durable as staged before it sends 06, and commits it on ACK or, however much
// later (30 days at most), when a statement of E names it: CommitStaged. Another
// pairing with E, or its removal, drops what is staged: DropStaged. What
// users see as paired is derived from both statements by package contact, so a
// lost message delays trust and never leaves it one-sided.
//
// Commits that the user waits for: S debits the guess, stages, and commits (beside
// E); E commits. Everything else happens between them in memory.
//
// # On disk
//
// "pairing/guesses", one row: failed rounds of the last 24 h (guessRecord). Links
// are in memory alone.
// "pairing/staged", by peer and pair id: stagingRecord. "pairing/secrets", by pair
// id: secretRecord.
package pairing
