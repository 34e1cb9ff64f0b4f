// Package node is one device: it opens the store, composes the features, lets
// inbound streams in through one gate, and runs all of it. It has no rules of
// its own; it hands features the functions by which they meet.
package node
