// Package check answers "do we have each other as contacts?" and "does one of us
// block the other?". Its rules are those of package contact (CheckOneWay,
// CheckTwoWay, AnswerCheck); who is answered is decided at the gate.
//
// It keeps nothing on disk. How often a device asked is kept in memory, for an
// hour and for a bounded number of devices.
//
// # On the wire
//
// "/contacts/check/1", one question a stream, frames of transport.WriteFrame
// holding at most 64 bytes of CBOR:
//
//	asker → {1: question}   1 listed, 2 blocked
//	asked → {1: fact}       0 unknown, 1 no, 2 yes
//
// Whether the asked device lists or blocks the asker is asked; of third devices
// nothing is told. Who asks more than 10 times an hour, or is not to be answered,
// gets a stream that is reset without a word.
package check
