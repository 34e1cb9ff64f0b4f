package pairing

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/gtank/ristretto255"
)

// CPace is a balanced PAKE: draft-irtf-cfrg-cpace-21, suite
// CPACE-RISTR255-SHA512 (section 7.3), in its initiator-responder form. Names
// are the draft's.

const (
	cpaceDSI      = "CPaceRistretto255"
	cpaceBlock    = 128 // s_in_bytes of SHA-512
	cpaceElement  = 32
	cpaceTag      = sha512.Size
	cpaceMacLabel = "CPaceMac"
)

// errElement is returned for bytes that are no element of the group, or the
// identity: whoever sends them would fix the key.
var errElement = errors.New("not a usable group element")

// share is one party's secret scalar and public share.
type share struct {
	y *ristretto255.Scalar
	Y []byte
}

// newShare draws a fresh scalar for the generator of prs, ci and sid.
func newShare(prs, ci, sid []byte) (share, error) {
	uniform := make([]byte, 64)
	rand.Read(uniform)
	y, err := ristretto255.NewScalar().SetUniformBytes(uniform)
	clear(uniform)
	if err != nil {
		return share{}, err
	}
	return shareOf(y, prs, ci, sid)
}

func shareOf(y *ristretto255.Scalar, prs, ci, sid []byte) (share, error) {
	g, err := generator(prs, ci, sid)
	if err != nil {
		return share{}, err
	}
	return share{y, ristretto255.NewIdentityElement().ScalarMult(y, g).Bytes()}, nil
}

// generator is calculate_generator of the draft: PRS fills the first block of
// the hash together with zeros, so that hashing it takes the same time for all.
func generator(prs, ci, sid []byte) (*ristretto255.Element, error) {
	zeros := max(0, cpaceBlock-1-len(lv(prs))-len(lv([]byte(cpaceDSI))))
	h := sha512.Sum512(lv([]byte(cpaceDSI), prs, make([]byte, zeros), ci, sid))
	return ristretto255.NewIdentityElement().SetUniformBytes(h[:])
}

// agree is scalar_mult_vfy: it returns K, or errElement.
func (s share) agree(peer []byte) ([]byte, error) {
	p, err := ristretto255.NewIdentityElement().SetCanonicalBytes(peer)
	if err != nil {
		return nil, errElement
	}
	p.ScalarMult(s.y, p)
	if p.Equal(ristretto255.NewIdentityElement()) == 1 {
		return nil, errElement
	}
	return p.Bytes(), nil
}

// forget overwrites the scalar.
func (s share) forget() { s.y.Zero() }

// isk is ISK_IR: party A's share stands first.
func isk(sid, k, ya, ada, yb, adb []byte) []byte {
	h := sha512.New()
	h.Write(lv([]byte(cpaceDSI+"_ISK"), sid, k))
	h.Write(lv(ya, ada))
	h.Write(lv(yb, adb))
	return h.Sum(nil)
}

// confirmation is the tag by which the party of share y and associated data ad
// proves that it holds the key (section 9.4).
func confirmation(sid, isk, y, ad []byte) []byte {
	key := sha512.Sum512(slices.Concat([]byte(cpaceMacLabel), sid, isk))
	mac := hmac.New(sha512.New, key[:])
	mac.Write(lv(y, ad))
	return mac.Sum(nil)
}

// lv is lv_cat: each part behind its length in LEB128.
func lv(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = binary.AppendUvarint(out, uint64(len(p)))
		out = append(out, p...)
	}
	return out
}
