package api

import (
	"bytes"
	"encoding/json"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// MarshalJSON returns a message in the JSON that every program of contactsd
// writes: snake_case names, fields with their zero values too (lists as []),
// times in RFC 3339, no white space.
func MarshalJSON(m proto.Message) ([]byte, error) {
	b, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	// protojson puts random white space into its output; equal values shall be equal bytes.
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON writes. A name that m does not have is an
// error: a mistyped field would otherwise change nothing, in silence.
func UnmarshalJSON(data []byte, m proto.Message) error {
	return protojson.Unmarshal(data, m)
}
