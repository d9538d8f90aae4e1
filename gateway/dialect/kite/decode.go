package kite

import (
	"encoding/json"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

// fields are the filters in the order of the document.
var fields = []string{"sources", "categories", "keywords", "tickers", "companies"}

// list is where a field of the document lives in the message.
func list(f *messages.KiteFilters, field string) *[]string {
	switch field {
	case "sources":
		return &f.Sources
	case "categories":
		return &f.Categories
	case "keywords":
		return &f.Keywords
	case "tickers":
		return &f.Tickers
	}
	return &f.Companies
}

// Decode reads one client message into ClientSubscribed, ClientUnsubscribed,
// ClientPinged or ClientInvalid. The error is dialect.ErrTooDeep or nil. The
// plan makes no difference to this API.
func (Codec) Decode(text []byte, _ bool) (proto.Message, error) {
	object, err := dialect.Object(text)
	if errors.Is(err, dialect.ErrTooDeep) {
		return nil, err
	}
	if errors.Is(err, dialect.ErrNotJSON) {
		return &messages.ClientInvalid{Error: "Invalid JSON"}, nil // as the document has it
	}
	if err != nil {
		return invalid(err), nil
	}
	kind, err := dialect.Type(object)
	if err != nil {
		return invalid(err), nil
	}
	switch kind {
	case "subscribe":
		if err := dialect.OnlyFilters(object, fields...); err != nil {
			return invalid(err), nil
		}
		s, err := filters(object["filters"])
		if err != nil {
			return invalid(err), nil
		}
		return s, nil
	case "unsubscribe":
		// It clears everything: whoever names filters wants something else.
		if err := dialect.OnlyFilters(object, fields...); err != nil {
			return invalid(err), nil
		}
		if dialect.Given(object["filters"]) {
			return invalid(errors.New("filters: not a field of unsubscribe, which clears all of them; to change them subscribe again")), nil
		}
		return &messages.ClientUnsubscribed{}, nil
	case "ping":
		return &messages.ClientPinged{}, nil
	}
	return invalid(fmt.Errorf("unknown message type %q: expected subscribe, unsubscribe or ping", dialect.Clip(kind))), nil
}

// Filters reads the filters object alone, as a resuming client gives it.
func (Codec) Filters(text []byte, _ bool) (*messages.ClientSubscribed, error) {
	return filters(text)
}

func filters(raw json.RawMessage) (*messages.ClientSubscribed, error) {
	f := &messages.KiteFilters{}
	subscribed := &messages.ClientSubscribed{Filters: &messages.ClientSubscribed_Kite{Kite: f}}
	if !dialect.Given(raw) {
		return subscribed, nil
	}
	object, err := dialect.Object(raw)
	if errors.Is(err, dialect.ErrNotObject) {
		return nil, errors.New("filters: expected an object")
	}
	if err != nil {
		return nil, err
	}
	if err := dialect.Only(object, fields...); err != nil {
		return nil, fmt.Errorf("filters.%w", err)
	}
	for _, field := range fields {
		if !dialect.Given(object[field]) {
			continue
		}
		read := dialect.Values
		if field == "tickers" {
			read = dialect.Tickers
		}
		values, err := read(object[field], "filters."+field)
		if err != nil {
			return nil, err
		}
		*list(f, field) = values
		f.Supplied = append(f.Supplied, field)
	}
	return subscribed, nil
}

func invalid(err error) *messages.ClientInvalid { return &messages.ClientInvalid{Error: err.Error()} }
