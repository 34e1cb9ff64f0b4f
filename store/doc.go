// Package store is a small engine on bbolt: typed tables, transactions, group
// commit, a journal of events and migrations. It knows no feature's records;
// each feature declares its tables and hands them to Open.
//
// # Disk layout
//
// One bbolt file, mode 0600, locked by the process that uses it, and while it is
// written to a log beside it, of the same name with "-wal" behind. The buckets:
//
//	meta          "format"        uint32: layout of this file, 1; 2 if it has a
//	                              log, and 1 again once it was closed
//	              "checkpoint"    of format 2: which log may follow, see recover.go
//	              "table/NAME"    uint32: version of the records in a table
//	journal       uint64 cursor   CBOR of contact.Event
//	              (the bucket's sequence is the newest cursor ever given)
//	table/NAME    the feature's   CBOR of the feature's record
//	              key
//
// Integers are big endian, so keys sort as numbers do. Values are deterministic
// CBOR (internal/codec): equal records are equal bytes.
//
// The log is drawn in wal.go and redo.go. A transaction is one record of it, synced
// once. bbolt then writes its pages without order, and syncs them at a checkpoint:
// when the log is full, when nothing was written for half a second, and when the
// store is closed, after which there is no log any more. Opening a store that was not
// closed puts it back to its checkpoint and does the log again; whoever only reads
// it does so in a copy. Before the sixteenth commit there is no log, nor if the
// disk has no space for one: commits then cost two syncs.
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
//   - A store and a log that are not of the same time are refused, unless the store
//     was closed: then it counts for itself. A program without a log refuses
//     a store that was not closed.
//   - Once the disk failed in a way that leaves unknown what it holds, nothing
//     more is written until the file was opened again.
//
// # Transactions
//
// There is one writer at a time and any number of readers, each of which sees
// the state as of its beginning. Calls of Update that come while another one
// commits wait for it and then share one transaction and its sync. Their
// functions run one after the other, on the goroutine of any one of the
// callers. They must be short: no network, timer, channel or lock that is held for
// more than a moment, and neither Update nor View within a function, which could
// wait for itself.
//
// What nobody waits for is given to Later, and shares a commit with whoever comes.
// A record that many functions of a commit change a little is a Common of theirs,
// read once and written once.
package store
