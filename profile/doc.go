// Package profile keeps what this device tells of its user (name, bio, skills,
// communities, a picture), tells it to those who may know, and learns the same of
// other devices.
//
// # Who learns what
//
// The gate says who is served (contact.Allow): contacts, and anybody who has the
// ODID if the user's policy is `anyone`, but not those who are blocked or were
// removed. All get the same profile. A name that the user did not choose, the
// host's, is not part of it. Strangers get little at once (door.go), and nothing of
// what anybody says in asking is kept.
//
// # Pictures
//
// No byte of a picture goes from one device to another user's eyes: the user's own
// device decodes what it is given and encodes a small square anew, without position,
// camera or anything else that the file tells, and the device that fetches it does so
// again. What a header promises is looked at before anything is decoded, so a few
// bytes that stand for gigabytes cost nothing. WebP is decoded only for the user's
// own picture; of others PNG and JPEG of the size that devices send are taken.
//
// # Wire
//
// "/contacts/profile/1", one question a stream, frames of transport.WriteFrame:
//
//	opener → {1: held}     at most 32 bytes; the revision it has, absent if none
//	opener ← answer        at most 72 KiB
//
//	key  field        type
//	 1   kind         uint    0 profile, 1 unchanged, 2 asked too often, 3 for nobody
//	 2   rev          uint    rises with each change: max(last + 1, Unix milliseconds)
//	 3   name         text    at most 64 bytes
//	 4   bio          text    at most 500 characters and 2000 bytes
//	 5   skills       [text]  at most 32 of at most 64 bytes
//	 6   communities  [text]  the same
//	 7   picture      bytes   PNG or JPEG, at most 256 pixels a side and 64 KiB
//
// A profile that breaks a limit, or has control characters other than the bio's
// line feeds, is refused as a whole; only a picture that can't be read is left out.
// Characters that turn the reading direction are kept: whoever shows them escapes
// them. Unknown fields are ignored.
//
// # What is kept
//
// Of contacts the profile last fetched, with when that was; the 4096 fetched last. A
// contact shows its revision with its statements; one that is not the one kept is
// fetched within 20 s, from at most 4 contacts at once, from one at most once a
// minute, and from those alone who are connected. Of strangers at whom the user
// looked, the last 64, for 5 minutes and in memory.
//
// # Disk
//
//	profile/own    "device"                    {1 rev, 2 name, 3 bio, 4 skills, 5 communities, 6 picture}
//	profile/kept   ODID                        the same, and 7: when it was fetched, Unix milliseconds
//	profile/order  that time in 8 bytes, ODID  {}, a row for each of kept
//	profile/count  "device"                    {1 rows of kept}
package profile
