package pairing

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/flynn/noise"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/internal/codec"
)

// Role is the side of a pairing: who shows the code and who enters it.
type Role uint8

const (
	Shows  Role = 'S'
	Enters Role = 'E'
)

func (r Role) other() Role { return Shows + Enters - r }

// ad is the party's associated data in CPace, whose A is S and whose B is E.
func (r Role) ad() []byte { return []byte{byte(r)} }

func (r Role) String() string { return string(rune(r)) }

const (
	pskSize        = 32
	maxPayload     = 1 << 10 // bytes of CBOR
	infoPSK        = "contacts/pair/1 noise-psk"
	infoPairID     = "contacts/pair/1 pair-id"
	infoPairSecret = "contacts/pair/1 pair-secret"
	channelID      = "contacts/pair/1"
)

// channelIdentifier is CI: what the code is used for and between whom. The keys
// are those of the connection.
func channelIdentifier(h hello, shower, enterer contact.ODID) []byte {
	return lv([]byte(channelID), []byte{h.version, h.suite, h.kind}, []byte(h.nameplate),
		Shows.ad(), shower[:], Enters.ad(), enterer[:])
}

// sessionID is sid: the nonces of both and the round.
func sessionID(enterer, shower []byte, round uint8) []byte {
	return slices.Concat(enterer, shower, []byte{round})
}

func derivePSK(isk, sid []byte) ([]byte, error) {
	return hkdf.Key(sha256.New, isk, sid, infoPSK, pskSize)
}

// prologue binds the Noise handshake to all that was said before it: the digest
// of the frames up to the accepted PROVE, the tag of S, and the keys of the
// connection.
func prologue(frames []byte, tag []byte, shower, enterer contact.ODID) []byte {
	h := sha256.New()
	h.Write(frames)
	h.Write(tag)
	h.Write(shower[:])
	h.Write(enterer[:])
	return h.Sum(nil)
}

// handshake is one side of Noise_XXpsk0_25519_ChaChaPoly_SHA256. S initiates.
type handshake struct {
	*noise.HandshakeState
	role     Role
	static   []byte // own public key
	prologue []byte
}

var (
	errPSK     = errors.New("noise: a pre-shared key of 32 bytes is required")
	errPayload = errors.New("bad payload")
)

func newHandshake(role Role, psk, prologue []byte) (*handshake, error) {
	// Without a key the library would run plain XX and say nothing.
	if len(psk) != pskSize {
		return nil, errPSK
	}
	suite := noise.NewCipherSuite(&curve{}, noise.CipherChaChaPoly, noise.HashSHA256)
	static, err := suite.GenerateKeypair(rand.Reader)
	if err != nil {
		return nil, err
	}
	hs, err := noise.NewHandshakeState(noise.Config{
		CipherSuite:           suite,
		Pattern:               noise.HandshakeXX,
		Initiator:             role == Shows,
		Prologue:              prologue,
		PresharedKey:          psk,
		PresharedKeyPlacement: 0,
		StaticKeypair:         static,
	})
	if err != nil {
		return nil, err
	}
	return &handshake{hs, role, static.Public, prologue}, nil
}

// payload is what each side says of itself inside the handshake, at most 1 KiB
// of deterministic CBOR:
//
//	key  field        type
//	 1   identity     bytes[32]  that of the connection
//	 2   name         text       at most 64 bytes
//	 3   permissions  [text]     what the other side will be granted, sorted
//	 4   signature    bytes[64]  by the identity: domain, role, Noise static key, prologue
type payload struct {
	Identity    contact.ODID        `cbor:"1,keyasint"`
	Name        string              `cbor:"2,keyasint"`
	Permissions contact.Permissions `cbor:"3,keyasint"`
	Signature   signature           `cbor:"4,keyasint"`
}

type signature [64]byte

func (s *signature) UnmarshalCBOR(data []byte) error { return codec.Fixed(s[:], data) }

// introduce encodes this side's payload.
func (h *handshake) introduce(id *identity.Identity, name string, offers contact.Permissions) ([]byte, error) {
	sig, err := id.Sign(identity.PairingDomain, vouched(h.role, h.static, h.prologue))
	if err != nil {
		return nil, err
	}
	return codec.Marshal(payload{id.Self(), name, offers, signature(sig)})
}

// introduced decodes and verifies the other side's payload.
func (h *handshake) introduced(peer contact.ODID, b []byte) (payload, error) {
	p, err := parsePayload(b)
	switch {
	case err != nil:
		return payload{}, err
	case p.Identity != peer:
		return payload{}, fmt.Errorf("%w: an identity that is not the connection's", errPayload)
	case !identity.Verify(peer, identity.PairingDomain, vouched(h.role.other(), h.PeerStatic(), h.prologue), p.Signature[:]):
		return payload{}, fmt.Errorf("%w: not signed by its identity", errPayload)
	}
	return p, nil
}

func parsePayload(b []byte) (payload, error) {
	if len(b) > maxPayload {
		return payload{}, fmt.Errorf("%w: %d bytes, at most %d", errPayload, len(b), maxPayload)
	}
	var p payload
	if err := codec.UnmarshalCanonical(b, &p); err != nil {
		return payload{}, fmt.Errorf("%w: %w", errPayload, err)
	}
	if err := contact.CheckText("name", p.Name, contact.MaxNameSize); err != nil {
		return payload{}, fmt.Errorf("%w: %w", errPayload, err)
	}
	return p, nil
}

// vouched is what the identity signs; identity puts the domain before it.
func vouched(role Role, static, prologue []byte) []byte {
	return bytes.Join([][]byte{{byte(role)}, static, prologue}, nil)
}

// outcome derives what only these two devices know, from the code's key and the
// whole handshake. It is called after all three Noise messages: the library
// hands out the hash of an unfinished handshake as well.
func (h *handshake) outcome(isk []byte) (contact.PairID, Secret, error) {
	if h.MessageIndex() != len(noise.HandshakeXX.Messages) {
		return contact.PairID{}, Secret{}, errors.New("noise: handshake not finished")
	}
	return deriveOutcome(isk, h.ChannelBinding())
}

func deriveOutcome(isk, binding []byte) (id contact.PairID, secret Secret, err error) {
	ikm := slices.Concat(isk, binding)
	defer clear(ikm)
	idBytes, err := hkdf.Key(sha256.New, ikm, nil, infoPairID, len(id))
	if err != nil {
		return id, secret, err
	}
	secretBytes, err := hkdf.Key(sha256.New, ikm, nil, infoPairSecret, len(secret))
	if err != nil {
		return id, secret, err
	}
	defer clear(secretBytes)
	return contact.PairID(idBytes), Secret(secretBytes), nil
}
