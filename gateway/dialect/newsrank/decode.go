package newsrank

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

const (
	maxEmbeddingFilters = 10
	dimensions          = 1536
	defaultThreshold    = 0.75
	maxInteger          = 1 << 53 // what JavaScript holds exactly ends here
)

var topics = []string{"articles", "stories", "tickers"}

// fields are the filters in the order of the document, and then those that the
// vendor's client knows.
var fields = []string{"topics", "categories", "sources", "keywords", "entities", "include_embeddings", "embedding_filters", "tickers", "keyword"}

// Decode reads one client message into ClientSubscribed or ClientInvalid. pro
// says that the plan may use tickers and embeddings. The error is
// dialect.ErrTooDeep or nil.
func (c Codec) Decode(text []byte, pro bool) (proto.Message, error) {
	object, err := dialect.Object(text)
	if errors.Is(err, dialect.ErrTooDeep) {
		return nil, err
	}
	if err != nil {
		return invalid(err), nil
	}
	kind, err := dialect.Type(object)
	if err != nil {
		return invalid(err), nil
	}
	if kind != "subscribe" {
		return invalid(fmt.Errorf("unknown message type %q: expected subscribe", dialect.Clip(kind))), nil
	}
	if err := dialect.OnlyFilters(object, fields...); err != nil {
		return invalid(err), nil
	}
	s, err := c.filters(object["filters"], pro)
	if err != nil {
		return invalid(err), nil
	}
	return s, nil
}

// Filters reads the filters object alone, as a resuming client gives it.
func (c Codec) Filters(text []byte, pro bool) (*messages.ClientSubscribed, error) {
	return c.filters(text, pro)
}

func (c Codec) filters(raw json.RawMessage, pro bool) (*messages.ClientSubscribed, error) {
	f := &messages.NewsrankFilters{}
	subscribed := &messages.ClientSubscribed{Filters: &messages.ClientSubscribed_Newsrank{Newsrank: f}}
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
		return nil, err
	}
	if err := readLists(f, object); err != nil {
		return nil, err
	}
	if f.Entities, err = integers(object["entities"], "entities"); err != nil {
		return nil, err
	}
	if f.Tickers, err = dialect.Tickers(object["tickers"], "tickers"); err != nil {
		return nil, err
	}
	if raw := object["include_embeddings"]; dialect.Given(raw) {
		if err := json.Unmarshal(raw, &f.IncludeEmbeddings); err != nil {
			return nil, errors.New("include_embeddings: expected true or false")
		}
	}
	if f.EmbeddingFilters, err = c.embeddingFilters(object["embedding_filters"], pro); err != nil {
		return nil, err
	}
	if !pro && len(f.Tickers) > 0 {
		return nil, needsPro("tickers")
	}
	if !pro && f.IncludeEmbeddings {
		return nil, needsPro("include_embeddings")
	}
	return subscribed, nil
}

func readLists(f *messages.NewsrankFilters, object map[string]json.RawMessage) (err error) {
	if f.Topics, err = dialect.Values(object["topics"], "topics"); err != nil {
		return err
	}
	for _, t := range f.Topics {
		if !slices.Contains(topics, t) {
			return fmt.Errorf("topics: unknown topic %q, expected articles, stories or tickers", dialect.Clip(t))
		}
	}
	if f.Categories, err = dialect.Values(object["categories"], "categories"); err != nil {
		return err
	}
	if f.Sources, err = dialect.Values(object["sources"], "sources"); err != nil {
		return err
	}
	if f.Keywords, err = dialect.Values(object["keywords"], "keywords"); err != nil {
		return err
	}
	legacy, err := dialect.Text(object["keyword"], "keyword")
	if err != nil {
		return err
	}
	if legacy == "" {
		return nil
	}
	if strings.TrimSpace(legacy) == "" {
		return errors.New("keyword: is empty, which would match everything; leave it out")
	}
	f.Keywords, err = dialect.Tidy(append(f.Keywords, legacy), "keywords")
	return err
}

// integers reads through float64, which holds every integer below 2^53, so
// that 42.0 and 4.2e1 are the number that they are.
func integers(raw json.RawMessage, field string) ([]int64, error) {
	if !dialect.Given(raw) {
		return nil, nil
	}
	wrong := fmt.Errorf("%s: expected an array of integers", field)
	var numbers []float64
	// A null among the numbers would silently be read as 0.
	if err := json.Unmarshal(raw, &numbers); err != nil || bytes.Contains(raw, []byte("null")) {
		return nil, wrong
	}
	if len(numbers) > dialect.MaxValues {
		return nil, fmt.Errorf("%s: %d values, at most %d are allowed", field, len(numbers), dialect.MaxValues)
	}
	list := make([]int64, 0, len(numbers))
	for _, n := range numbers {
		if n != math.Trunc(n) || math.Abs(n) >= maxInteger {
			return nil, wrong
		}
		list = append(list, int64(n))
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

func (c Codec) embeddingFilters(raw json.RawMessage, pro bool) ([]*messages.EmbeddingFilter, error) {
	if !dialect.Given(raw) {
		return nil, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, errors.New("embedding_filters: expected an array of objects")
	}
	if len(list) > 0 && !pro {
		return nil, needsPro("embedding_filters")
	}
	if len(list) > maxEmbeddingFilters {
		return nil, fmt.Errorf("embedding_filters: %d filters, at most %d are allowed", len(list), maxEmbeddingFilters)
	}
	filters := make([]*messages.EmbeddingFilter, 0, len(list))
	for i, raw := range list {
		f, err := c.embeddingFilter(raw)
		if err != nil {
			return nil, fmt.Errorf("embedding_filters[%d]: %w", i, err)
		}
		filters = append(filters, f)
	}
	return filters, nil
}

// maxModel is as much as a pushed article may say.
const maxModel = 128

// embeddingFilter is one filter. One that names no model is of the server's. Any
// model may be named: which ones there are is known to who pushes the vectors.
func (c Codec) embeddingFilter(raw json.RawMessage) (*messages.EmbeddingFilter, error) {
	object, err := dialect.Object(raw)
	if err != nil {
		return nil, errors.New("expected an object with an embedding")
	}
	if err := dialect.Only(object, "embedding", "threshold", "label", "embedding_model"); err != nil {
		return nil, err
	}
	f := &messages.EmbeddingFilter{Threshold: defaultThreshold}
	if f.Embedding, err = embedding(object["embedding"]); err != nil {
		return nil, err
	}
	if raw := object["threshold"]; dialect.Given(raw) {
		err := json.Unmarshal(raw, &f.Threshold)
		if err != nil || f.Threshold < 0.5 || f.Threshold > 1 {
			return nil, errors.New("threshold: expected a number from 0.5 to 1")
		}
	}
	if f.Label, err = dialect.Text(object["label"], "label"); err != nil {
		return nil, err
	}
	f.Label = dialect.Clip(f.Label)
	if f.EmbeddingModel, err = dialect.Text(object["embedding_model"], "embedding_model"); err != nil {
		return nil, err
	}
	if len(f.EmbeddingModel) > maxModel {
		return nil, fmt.Errorf("embedding_model: at most %d bytes", maxModel)
	}
	f.NamesModel = f.EmbeddingModel != ""
	f.EmbeddingModel = dialect.Or(f.EmbeddingModel, c.Model)
	return f, nil
}

func embedding(raw json.RawMessage) ([]float32, error) {
	var numbers []float64
	if err := json.Unmarshal(raw, &numbers); err != nil || bytes.Contains(raw, []byte("null")) {
		return nil, fmt.Errorf("embedding: expected an array of %d finite numbers", dimensions)
	}
	if len(numbers) != dimensions {
		return nil, fmt.Errorf("embedding: %d numbers, exactly %d are expected", len(numbers), dimensions)
	}
	vector := make([]float32, dimensions)
	zero := true
	for i, n := range numbers {
		vector[i] = float32(n)
		if math.IsInf(float64(vector[i]), 0) {
			return nil, fmt.Errorf("embedding: number %d is not finite as a 32-bit float", i)
		}
		zero = zero && vector[i] == 0
	}
	if zero {
		return nil, errors.New("embedding: all numbers are zero, which is similar to nothing")
	}
	return vector, nil
}

func needsPro(field string) error {
	return fmt.Errorf("%s: needs the Pro or Business plan", field)
}

func invalid(err error) *messages.ClientInvalid { return &messages.ClientInvalid{Error: err.Error()} }
