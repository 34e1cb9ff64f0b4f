// Package store is a small engine on bbolt: typed tables, transactions, group
// commit, a journal of events and migrations. It knows no feature's records;
// each feature declares its tables and hands them to Open.
//
// # Disk layout
//
// One bbolt file, mode 0600, locked by the process that uses it. Its buckets:
//
//	meta          "format"        uint32: layout of this file, now 1
//	              "table/NAME"    uint32: version of the records in a table
//	journal       uint64 cursor   CBOR of contact.Event
//	              (the bucket's sequence is the newest cursor ever given)
//	table/NAME    the feature's   CBOR of the feature's record
//	              key
//
// Integers are big endian, so keys sort as numbers do. Values are deterministic
// CBOR (internal/codec): equal records are equal bytes.
//
// # Invariants
//
//   - Update returns nil only when what it wrote is on the disk, and the events
//     it emitted with it: no reader ever sees a change without its event, and
//     Events tells of none that a power cut could take back.
//   - A function given to Update takes effect whole or not at all, whatever its
//     neighbours in the same commit do.
//   - Cursors rise by one, are never given twice, and survive reopening and
//     pruning. Of the journal at least the last Options.JournalLimit events are
//     kept.
//   - Every table holds records of the version the program declares: migrations
//     have run before Open returns, in one transaction. A file written by a
//     newer program is refused and left as it is.
//   - Nothing of the file's mapped memory leaves the package. Damaged pages
//     are errors that wrap ErrCorrupt, not panics.
//   - Once the disk failed in a way that leaves unknown what it holds, nothing
//     more is written until the file was opened again.
//
// # Transactions
//
// There is one writer at a time and any number of readers, each of which sees
// the state as of its beginning. Calls of Update that come while another one
// commits wait for it and then share one transaction and its two fsyncs. Their
// functions run one after the other, on the goroutine of any one of the
// callers. They must be short: no network, timer, channel or lock that is held for
// more than a moment, and neither Update nor View within a function, which could
// wait for itself.
//
// What nobody waits for is given to Later, and shares a commit with whoever comes.
// A record that many functions of a commit change a little is a Common of theirs,
// read once and written once.
package store
