// Package card keeps this device's contact card (phone, e-mail, address, notes), gives
// it to those whom the user lets have it, and keeps the cards that others let this
// device have, for as long as they do.
//
// Who asked whom and who may have whose card is said in the statements, and package
// relation keeps that. A grant there names the revision of the card and a lease.
//
// # What is held
//
// A holder fetches the card when a grant names a revision that it does not have, and
// says in its statement that it has it, in the transaction that keeps it. When it
// takes a statement that grants nothing, or its user removes or blocks the owner, the
// card is deleted in that very transaction (Drop), and the statement that says so is
// the proof. A device that is not in touch with the owner for the time of the lease,
// contact.CardLease at most and by its own clock, does not show the card any more, and
// deletes it within an hour; it is fetched anew when the two meet again, if it is
// still granted. Being in touch is an exchange of statements or being connected.
//
// A card is in no list but that of cards, in no search, event, log or metric. Its
// String says nothing of it.
//
// # Wire
//
// "/contacts/card/1", one question a stream, frames of transport.WriteFrame; the gate
// lets in those alone to whom the card is granted (contact.Allow), and it is looked
// at again as the answer is made:
//
//	opener → {1: rev}      at most 16 bytes; the revision that the grant names
//	opener ← card          at most 2 KiB
//
//	key  field    type
//	 1   rev      uint    no lower than the opener asked for
//	 2   phone    text    at most 64 bytes
//	 3   email    text    at most 254 bytes
//	 4   address  text    at most 500 bytes
//	 5   notes    text    at most 1000 bytes
//
// All are optional. One that breaks a limit, or has control characters other than the
// line feeds of address and notes, makes the whole card refused: it is asked for
// again, ever later. Unknown fields are ignored.
//
// # Disk
//
//	card/own   "device"  {1 rev, 2 phone, 3 email, 4 address, 5 notes}
//	card/held  ODID      the same, and 6 since, 7 in touch, Unix milliseconds, 8 lease in seconds
package card
