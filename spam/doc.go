// Package spam keeps what this device and its paired contacts reported as spam, and
// locks this device's own asks when others report those. Its rules are those of
// package contact (OpenReport, Quarantined, Rebuked); what becomes of a request is
// the business of package relation, which asks this one.
//
// # On disk
//
// "spam/own", keyed by ODID: the user's own report on a device, or its withdrawal
// (own: the signed report, whether paired contacts are told).
//
// "spam/reports", keyed by the reported and the reporting ODID: a report of a paired
// contact, or its withdrawal (heard: the signed report, when it was heard). The
// withdrawal stays as long as the report would have, so that the report is not taken
// again.
//
// "spam/reporters", keyed by ODID: how much of a contact was written today (quota).
//
// "spam/told", keyed by ODID: up to which number a paired contact has this device's
// reports (told).
//
// "spam/self", one row: the last number of an own report, who answered asks of this
// device by reporting them, and until when its asks are locked (self).
//
// All of it is forgotten after contact.ReportLife.
//
// # On the wire
//
// "/contacts/report/1", between paired contacts, several reports a stream, frames of
// transport.WriteFrame holding at most 2 KiB of CBOR:
//
//	reporter → {1: signed report}
//	contact  ← {1: 1}   done: it is kept, or of no use to this device; it won't be told again
//	contact  ← {1: 2}   later: as much was taken today as is taken
//
// A signed report is {1: bytes, 2: signature}. Reports go out in the order of their
// numbers, each until it is acknowledged; one that replaces another takes its place.
// Whoever brings what is no report gets a stream that is reset. A report is taken from
// its author alone and never passed on.
package spam
