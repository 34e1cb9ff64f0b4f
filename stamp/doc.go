// Package stamp makes and examines stamps: work that a stranger does for its ask, so
// that asking many costs much. It has no state of its own but a key and a count of
// time; who owes stamps, and what becomes of an ask, is not its business.
//
// A stamp is a number, the nonce, for which the hash (Work) of
//
//	version     1 byte    1
//	seal       16 bytes   of the challenge, which only its maker can make
//	author     32 bytes   ODID of who asks
//	subject    32 bytes   ODID of who is asked
//	ask        32 bytes   digest of the exact ask
//	index       1 byte    of the stamp among those of the ask
//	nonce       8 bytes   big-endian
//
// begins with as many zero bits as the challenge says. So a stamp is good for one
// ask of one device to one other, and can't be made in advance: the challenge lives 10
// minutes and, its key being made anew at each start, not longer than the process
// that gave it.
//
// Nothing is kept of a challenge that was given: it says when and how hard, and its seal
// is a MAC over that and its author-to-be.
//
// # On the wire
//
//	challenge  {1: version, 2: at, 3: bits, 4: count, 5: seal}   at: seconds by a clock of its maker's own
//	proof      {1: challenge, 2: [nonce]}                        one nonce for each of count
package stamp
