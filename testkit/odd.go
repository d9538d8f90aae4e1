package testkit

import (
	"math"
	"math/rand/v2"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// oddDepth bounds how deep what Odd makes nests.
const oddDepth = 4

// Odd fills a message with what no well-meaning sender puts into one: fields
// that are missing, numbers at their bounds, NaN, text that is not UTF-8, lists
// with repeats, messages without content. It is for tests that an actor takes
// whatever it is sent.
func Odd(r *rand.Rand, m proto.Message) { odd(r, m.ProtoReflect(), 0) }

func odd(r *rand.Rand, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if r.IntN(3) == 0 {
			continue
		}
		switch {
		case f.IsMap():
		case f.IsList():
			list := m.Mutable(f).List()
			for range r.IntN(4) {
				list.Append(oddValue(r, f, func() protoreflect.Message { return list.NewElement().Message() }, depth))
			}
		default:
			m.Set(f, oddValue(r, f, func() protoreflect.Message { return m.NewField(f).Message() }, depth))
		}
	}
}

var oddTexts = []string{"", "a", "key-1", "\xff\xfe", "\x00", "(((", "moon OR -", "from:", "é\u0301", "conn-1", "c"}

var oddNumbers = []uint64{0, 1, 2, 7, 255, 256, 4095, 4096, 1 << 12, 1<<52 - 1, 1 << 52, math.MaxInt64, 1 << 63, math.MaxUint64}

func oddValue(r *rand.Rand, f protoreflect.FieldDescriptor, message func() protoreflect.Message, depth int) protoreflect.Value {
	n := oddNumbers[r.IntN(len(oddNumbers))]
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n%2 == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(int32(n)))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(oddTexts[r.IntN(len(oddTexts))])
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(oddTexts[r.IntN(len(oddTexts))]))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(int64(n))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(n)
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32([]float32{0, 1, -1, float32(math.NaN()), float32(math.Inf(1)), math.MaxFloat32}[n%6])
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64([]float64{0, 0.75, -1, math.NaN(), math.Inf(-1), math.MaxFloat64}[n%6])
	default:
		m := message()
		if depth < oddDepth {
			odd(r, m, depth+1)
		}
		return protoreflect.ValueOfMessage(m)
	}
}
