package contact

// Calling reports what calls this device may make to the peer: Audio, Video, both
// or none of them.
func (v View) Calling() Permissions { return v.callsIn(v.Received) }

// Called reports what calls of the peer this device takes. Once each side holds
// the other's newest statement, it is what the peer's Calling says.
func (v View) Called() Permissions { return v.callsIn(v.Given) }

// callsIn is what of p counts for calls: a call needs two that list each other, since
// either side may say no before anything rings.
func (v View) callsIn(p Permissions) Permissions {
	if v.Status != StatusAccepted {
		return NoPermissions
	}
	return p & (Audio | Video)
}
