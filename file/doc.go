// Package file sends files and folders to contacts and receives theirs: offered in
// a message, accepted by the receiver, pulled from where they are, verified, and
// whole under their name or not there at all.
//
// # Manifest
//
// The files of a transfer, in the order of a walk, are one row of bytes in chunks of
// 1 MiB; a small file is a part of a chunk, a large one has many. The manifest says
// what they are: pages of files (path and size, CBOR, at most 64 KiB each), pages of
// the BLAKE3 of 1024 chunks each, and an index, the BLAKE3 of all pages, files first.
// The BLAKE3 of the index is in the offer (offer.go), so whatever comes is verified
// as it comes.
//
// # On the wire
//
// The receiver opens a stream of Protocol to the sender and asks. Requests are frames
// as transport.WriteFrame has them, of at most 512 bytes; answers are blocks.
//
//	receiver                                   sender
//	   | OPEN {id, root} ->                       |  <- OK, or REFUSED
//	   | PAGES {kind, from, count} ->             |  <- count times DATA
//	   | CHUNKS {from, count} ->                  |  <- count times DATA, or REFUSED
//	either side
//	   | TELL {id, state, words} ->               |  <- OK
//
//	key  field  type       in
//	 1   type   uint       all: 1 OPEN, 2 PAGES, 3 CHUNKS, 4 TELL
//	 2   id     bytes[16]  OPEN, TELL
//	 3   root   bytes[32]  OPEN
//	 4   kind   uint       PAGES: 0 the index, 1 files, 2 hashes; 0 is left out
//	 5   from   uint       PAGES, CHUNKS; 0 is left out
//	 6   count  uint       PAGES, CHUNKS
//	 7   state  uint       TELL: what the transfer is there, a State
//	 8   words  text       TELL: why it failed, at most 256 bytes
//
//	block    type[1]  length[4], big endian  bytes
//	OK       1        0
//	DATA     2        at most 1 MiB
//	REFUSED  3        {1: why, 2: words}; why: 1 not now, 2 paused, 3 cancelled, 4 gone
//
// All that is missing is asked for at once and flows as fast as both sides can; to
// pause, either resets the stream.
//
// # Whole or not at all
//
//   - What arrives is written to a hidden folder within the folder it goes to,
//     which open folders alone lead to: neither a name nor a link that somebody puts
//     there leads a write elsewhere.
//   - It is synced, the name it is about to get is noted, and it is renamed to
//     that unless something has the name. After a crash the note tells whether it was.
//   - After any interruption the chunks that are there are read back and compared
//     with the manifest; it goes on with the first that does not fit.
//   - What can't be completed any more is removed.
//   - The sender compares size and time of each file with those it had when it was
//     offered, and the receiver each chunk with its hash.
//
// # On disk
//
// Times are Unix milliseconds.
//
//	table          key                       record
//	file.transfer  id[16]                    the transfer
//	file.page      id[16] kind[1] number[8]  a page of its manifest as it travels; of
//	                                         kind 3, which does not, the times of
//	                                         the files of a page
//	file.work      id[16]                    since when there is something to do for it
//
// # Work
//
// For a transfer that has to be prepared, pulled, or told of to the contact there is
// a lane. One is prepared and four are pulled at a time, those first whose contacts
// are connected. After a failure it is tried again in 5 s to 15 min, and at once when
// the contact connects, or when something about it changes.
package file
