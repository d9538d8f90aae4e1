package testkit

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"
)

// renderDepth bounds how deep a message is shown: what nests deeper is a graph
// that a message happens to point into.
const renderDepth = 12

// renderMost bounds what one message is shown with, in bytes: past it, values are
// shown by "…".
const renderMost = 1 << 20

var (
	protoType   = reflect.TypeFor[proto.Message]()
	contextType = reflect.TypeFor[context.Context]()
	actorType   = reflect.TypeFor[actor.Actor]()
	pidType     = reflect.TypeFor[actor.PID]()
	timeType    = reflect.TypeFor[time.Time]()
	kitType     = reflect.TypeFor[*Kit]()
	hostType    = reflect.TypeFor[*Host]()
	loggerType  = reflect.TypeFor[*slog.Logger]()
)

// opaque are shown by their type alone, as actors and contexts are: they are parts
// of the world that a message points at, and hold wall time and chance of their own.
var opaque = []reflect.Type{
	reflect.TypeFor[actor.ActorSystem](), reflect.TypeFor[actor.Props](), reflect.TypeFor[actor.RestartStatistics](),
	reflect.TypeFor[Kit](), reflect.TypeFor[Host](), reflect.TypeFor[Probe](), reflect.TypeFor[Clock](),
	reflect.TypeFor[Worker](), reflect.TypeFor[Rand](), reflect.TypeFor[Lane](), reflect.TypeFor[time.Location](),
}

// render shows a message by what it says, the same in every run and process: what
// pointers point at and not where it is, and maps in the order of their keys. fmt
// would show addresses.
func render(message any) string {
	r := renderer{of: reflect.TypeOf(message)}
	if r.of != nil && r.of.Kind() == reflect.Pointer {
		r.of = r.of.Elem()
	}
	r.value(reflect.ValueOf(message), 0)
	return r.String()
}

// shape is what render asks of a type, kept: the questions cost more than the text.
type shape struct {
	name   string
	opaque bool
	part   bool     // of the program, see partOf
	fields []string // of a struct, each with its colon; "" is not shown
}

var shapes sync.Map // reflect.Type to *shape; as large as the binary has types of messages

func shapeOf(t reflect.Type) *shape {
	if known, ok := shapes.Load(t); ok {
		return known.(*shape)
	}
	s := &shape{
		name: t.String(),
		opaque: slices.Contains(opaque, t) || t.Kind() != reflect.Interface && t.Implements(contextType) ||
			reflect.PointerTo(t).Implements(actorType) || t.PkgPath() == "sync" || t.PkgPath() == "sync/atomic",
	}
	if t.Kind() == reflect.Struct {
		s.opaque = s.opaque || ofWorld(t)
		s.part = partOf(t)
		generated := reflect.PointerTo(t).Implements(protoType)
		for i := range t.NumField() {
			name := t.Field(i).Name + ":"
			if generated && bookkeeping(t.Field(i).Name) {
				name = ""
			}
			s.fields = append(s.fields, name)
		}
	}
	shapes.Store(t, s)
	return s
}

// ofWorld says whether the struct holds a kit or a host: a cluster, a node. A message
// that points at one, as a socket does, would be shown with all that there is.
func ofWorld(t reflect.Type) bool {
	for i := range t.NumField() {
		if of := t.Field(i).Type; of == kitType || of == hostType {
			return true
		}
	}
	return false
}

// partOf says whether the struct holds functions or a logger, as actors' engines and
// nodes do. A message that has such a field says something; one that points at such a
// struct names a part of the program, and would be shown with all its state, which is
// most of the text of a run and is shown by no message that comes later.
func partOf(t reflect.Type) bool {
	for i := range t.NumField() {
		of := t.Field(i).Type
		if of.Kind() == reflect.Func || of == loggerType || of.Kind() == reflect.Struct && partOf(of) {
			return true
		}
	}
	return false
}

type renderer struct {
	strings.Builder
	of reflect.Type // the message's own, without its pointer
}

func (r *renderer) value(v reflect.Value, depth int) {
	if !v.IsValid() {
		r.WriteString("nil")
		return
	}
	if r.Len() > renderMost {
		r.WriteString("…")
		return
	}
	s := shapeOf(v.Type())
	if depth > renderDepth || s.opaque || s.part && v.Type() != r.of {
		r.WriteString(s.name)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		r.pointer(v, depth)
	case reflect.Interface:
		r.value(v.Elem(), depth)
	case reflect.Struct:
		r.structure(v, s, depth)
	case reflect.Map:
		r.entries(v, depth)
	case reflect.Slice, reflect.Array:
		r.list(v, depth)
	case reflect.String:
		r.WriteString(strconv.Quote(v.String()))
	case reflect.Func, reflect.Chan, reflect.UnsafePointer, reflect.Uintptr:
		r.WriteString(s.name)
	default:
		if depth == 0 {
			r.WriteString(s.name + " ")
		}
		fmt.Fprint(r, v)
	}
}

func (r *renderer) pointer(v reflect.Value, depth int) {
	if v.IsNil() {
		r.WriteString("nil")
		return
	}
	r.WriteByte('&')
	r.value(v.Elem(), depth+1)
}

func (r *renderer) structure(v reflect.Value, s *shape, depth int) {
	t := v.Type()
	switch {
	case t == pidType:
		r.WriteString(v.FieldByName("Address").String() + "/" + v.FieldByName("Id").String())
		return
	case t == timeType && v.CanInterface():
		r.WriteString(v.Interface().(time.Time).UTC().Format(time.RFC3339Nano))
		return
	}
	r.WriteString(s.name)
	r.WriteByte('{')
	first := true
	for i, name := range s.fields {
		if name == "" {
			continue
		}
		if !first {
			r.WriteByte(' ')
		}
		first = false
		r.WriteString(name)
		r.value(v.Field(i), depth+1)
	}
	r.WriteByte('}')
}

// bookkeeping names the fields of generated messages that are the library's own.
func bookkeeping(field string) bool {
	switch field {
	case "state", "sizeCache", "unknownFields", "extensionFields":
		return true
	}
	return false
}

func (r *renderer) entries(v reflect.Value, depth int) {
	lines := make([]string, 0, v.Len())
	for entries := v.MapRange(); entries.Next(); {
		var line renderer
		line.value(entries.Key(), depth+1)
		line.WriteByte(':')
		line.value(entries.Value(), depth+1)
		lines = append(lines, line.String())
	}
	slices.Sort(lines)
	fmt.Fprintf(r, "%s{%s}", v.Type(), strings.Join(lines, " "))
}

func (r *renderer) list(v reflect.Value, depth int) {
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		r.WriteString(strconv.Quote(string(v.Bytes())))
		return
	}
	r.WriteByte('[')
	for i := range v.Len() {
		if r.Len() > renderMost {
			r.WriteString("…")
			break
		}
		if i > 0 {
			r.WriteByte(' ')
		}
		r.value(v.Index(i), depth+1)
	}
	r.WriteByte(']')
}
