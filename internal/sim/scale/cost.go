package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/internal/codec"
	"contactsd/transport"
)

// costs is what one of each takes a core of this machine.
type costs struct {
	Mint  time.Duration `json:"mint"`  // signing and sealing a beacon
	Take  time.Duration `json:"take"`  // opening and verifying one
	Frame time.Duration `json:"frame"` // encoding and decoding a frame with a beacon
	Small time.Duration `json:"small"` // the same of a frame with a claim
	Name  time.Duration `json:"name"`  // naming a topic on a link and looking for the three names that the other side may use
}

func encode(v any) []byte {
	b, err := codec.Marshal(v)
	if err != nil {
		panic(err) // values of this package can be encoded
	}
	return b
}

// measureCosts runs each so often with the real primitives and takes the mean.
func measureCosts(times int, text string, addrs []transport.Address) (costs, error) {
	id, err := identity.FromSeed([32]byte{1})
	if err != nil {
		return costs{}, err
	}
	self := id.Self()
	key := make([]byte, keySize)
	rand.Read(key)
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return costs{}, err
	}
	b := beacon{Seq: today, State: 1, Text: text, Since: today, Sent: today, Validity: 900, Addresses: addrs}
	sealed, err := seal(id, aead.Seal, b)
	if err != nil {
		return costs{}, err
	}
	news := linkFrame{News: &passedOn{make([]byte, maskSize), today, 1, sealed}}
	claim := linkFrame{Have: make([]byte, claimSize)}
	var failed error
	note := func(err error) {
		if err != nil {
			failed = err
		}
	}
	each := func(do func()) time.Duration {
		began := time.Now()
		for range times {
			do()
		}
		return time.Since(began) / time.Duration(times)
	}
	c := costs{
		Mint: each(func() {
			_, err := seal(id, aead.Seal, b)
			note(err)
		}),
		Take: each(func() {
			plain, err := aead.Open(nil, sealed[:24], sealed[24:], self[:])
			note(err)
			var e envelope
			note(codec.Unmarshal(plain, &e))
			if !identity.Verify(self, identity.BeaconDomain, e.Body, e.Sig) {
				note(transport.ErrFrame)
			}
			var got beacon
			note(codec.UnmarshalCanonical(e.Body, &got))
		}),
		Frame: each(func() { note(passOver(news)) }),
		Small: each(func() { note(passOver(claim)) }),
		Name:  each(func() { nameTopic(key, self) }),
	}
	return c, failed
}

type sealing func(dst, nonce, plain, additional []byte) []byte

// seal makes a beacon as presence does.
func seal(id *identity.Identity, with sealing, b beacon) ([]byte, error) {
	body := encode(b)
	sig, err := id.Sign(identity.BeaconDomain, body)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(nonce)
	self := id.Self()
	return with(nonce, nonce, encode(envelope{body, sig}), self[:]), nil
}

// passOver writes a frame and reads it.
func passOver(f linkFrame) error {
	var b bytes.Buffer
	if err := transport.WriteFrame(&b, f, maxFrame); err != nil {
		return err
	}
	var got linkFrame
	return transport.NewFrameReader(&b, maxFrame).Read(&got)
}

// nameTopic computes the name that one side gives a topic, and those that the
// other may give it: one for each of three days.
func nameTopic(key []byte, self contact.ODID) {
	nonces := make([]byte, 2*nonceSize)
	for range 4 {
		topic := hmac.New(sha256.New, key)
		topic.Write([]byte("contacts/topic/1\x00........"))
		mask := hmac.New(sha256.New, topic.Sum(nil))
		mask.Write(self[:])
		mask.Write(nonces)
		mask.Sum(nil)
	}
}
