// Package relation keeps what this device and others say of each other and the
// contacts that follow from it. It applies the rules of package contact; it has
// none of its own.
//
// # On disk
//
// "relation/devices", keyed by ODID: one row for each device about which
// anything was ever said (device: both signed statements, Marks, addresses). A
// removed contact keeps its row for good, as the tombstone that stops replays.
//
// "relation/contacts", keyed by contact id: what the user knows a contact by
// (details: name, remark, groups, custom fields, source, application, wording, time
// added). A row exists while the contact is listed or blocked. A contact has a list
// of devices, today of one. Fields that a newer program wrote into it stay.
//
// "relation/groups", one row: the groups there are, with the ids by which the
// contacts name them.
//
// "relation/requests", keyed by ODID: a row for each device whose ask waits for the
// user (request: id, when, what it calls itself). The ask itself stands in its
// statement, so a stranger that waits has a row in "relation/devices" too; there are
// as many of them as Policy.MaxWaiting says, with those that took it back.
// "relation/asks", keyed by ODID: a row for each device that was asked and has not
// answered (sentAsk: when, what was granted with it, what is owed for it). "relation/cardrequests" and
// "relation/cardasks" are the same of asks for the contact card, "relation/cardgrants",
// keyed by ODID, has a row for each device to which the card is given, or was within
// contact.CardLease (cardGrant: since when, when it ended). A request that is suspect
// stands in "relation/requests" as well, with the reason (quarantine.go).
// "relation/wordings", keyed by contact.WordingKey: which strangers wrote that.
// "relation/crowd", one row: how
// many requests there are, and how many strangers' were taken today.
//
// "relation/paired", keyed by ODID: an empty row for each paired contact, to be counted.
//
// "relation/blocked", keyed by ODID: a row for each blocked device, contact or
// not (block: when).
//
// "relation/names", keyed by a text in folded case, a zero byte and an ODID: an
// empty row for each text that a contact is called by. "relation/totals", one row:
// how many contacts and blocked devices there are. Both say again what the tables
// above say, so that finding and counting cost the same with many contacts.
//
// What lists need is in memory while somebody lists (roster.go): it can be made anew
// from the tables at any time, and is on no disk.
//
// Nothing is read at the start: the walk of Run looks at the devices in parts, and
// the transport asks where one was when it is to be dialled.
//
// Invariants: a statement of this device is durable before it is sent; its seq
// only rises; every change and its event are one transaction.
//
// # On the wire
//
// "/contacts/relation/1", one exchange a stream, frames of transport.WriteFrame
// holding at most 12 KiB of CBOR:
//
//	opener → {1: mine, 2: yours, 3: addresses, 4: full, 5: name, 10: profile}   mine: own newest signed statement
//	opener ← {1: mine, 2: yours, 3: addresses, 5: name, 6: later, 10: profile}  yours: the newest held of the receiver's,
//	opener → {1: mine, 2: yours}                                                which acknowledges it; mine only if it is a
//	                                                                            newer one; not sent if there is nothing to say
//
// Between contacts that have nothing new to say it is briefer:
//
//	opener → {4: full, 7: said, 8: held}   digests (brief.go) of what the opener would say and of
//	opener ← {9: same}                     what it heard last. {} if either is not what the other
//	                                       has: then the exchange follows on this stream
//
// With an ask of a device that is not listed come stamps (package stamp):
//
//	opener → {1: mine, …}                                  an ask, without stamps
//	opener ← {2: yours, 6: later, 11: challenge}           what it is to be stamped for
//	opener → {1: mine, …, 12: stamps}                      on the next stream, when they are made
//	opener ← {2: yours, 13: receipt}                       they were taken
//	opener → {1: mine, …, 13: receipt}                     each time from then on, while the ask is open
//
// What is answered depends on the ask, the stamps and how many strangers wait, never on
// who asks (toll.go). A device that knows no stamps reads later, and asks again.
//
// full says that the opener ends the connection, for which it has no room. later
// says that there is no place for the opener's ask: it tries again.
// A signed statement is {1: bytes, 2: signature}. Addresses, what the device is
// called and the revision of its profile are sent to listed contacts only. A stranger
// gets its own statement back as yours, whatever it says, and later if it asks and
// there is no place; nothing else. A removed and a blocked device get the same, and are
// never told to come later but with a challenge, or when there is no time for stamps.
package relation
