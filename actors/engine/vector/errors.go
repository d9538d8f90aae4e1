package vector

import (
	"errors"
	"fmt"
	"math"
)

// Dim is how many numbers a vector has.
const Dim = 1536

var (
	// ErrDimension: a vector has not exactly Dim numbers.
	ErrDimension = errors.New("wrong dimension")
	// ErrNotFinite: a vector holds NaN or an infinity.
	ErrNotFinite = errors.New("number not finite")
	// ErrZero: all numbers are zero, so that it has no direction to compare.
	ErrZero = errors.New("zero vector")
	// ErrThreshold: a threshold is outside [-1, 1], or there is not one a vector.
	ErrThreshold = errors.New("threshold not usable")
)

// Check says why v cannot be compared with others, or nil.
func Check(v []float32) error {
	if len(v) != Dim {
		return fmt.Errorf("check vector: %w: %d numbers, need exactly %d", ErrDimension, len(v), Dim)
	}
	zero := true
	for i, f := range v {
		// The exponent is all ones for NaN and the infinities only.
		if math.Float32bits(f)&0x7f800000 == 0x7f800000 {
			return fmt.Errorf("check vector: %w: number %d is %v", ErrNotFinite, i, f)
		}
		if f != 0 {
			zero = false
		}
	}
	if zero {
		return fmt.Errorf("check vector: %w: at least one of the %d numbers must differ from 0", ErrZero, Dim)
	}
	return nil
}

func checkAll(vectors [][]float32, thresholds []float64) error {
	if len(vectors) == 0 {
		return fmt.Errorf("%w: a filter needs at least one vector", ErrDimension)
	}
	if len(vectors) != len(thresholds) {
		return fmt.Errorf("%w: %d vectors with %d thresholds, need one each", ErrThreshold, len(vectors), len(thresholds))
	}
	for i, v := range vectors {
		if err := Check(v); err != nil {
			return fmt.Errorf("vector %d: %w", i, err)
		}
		if t := thresholds[i]; !(t >= -1 && t <= 1) {
			return fmt.Errorf("vector %d: %w: %v, need -1 to 1", i, ErrThreshold, t)
		}
	}
	return nil
}
