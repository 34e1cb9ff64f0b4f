// Contactsctl is the command line of contactsd. It speaks to the daemon through
// package client and keeps nothing itself.
//
// Data goes to stdout, talk to stderr. With --json the data is that of the API:
// one value, or one object a line for what streams.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set when a release is linked.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
