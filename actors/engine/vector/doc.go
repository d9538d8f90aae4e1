// Package vector holds semantic filters: which standing vectors are at least
// as close to an event's vector as their thresholds ask. Answers are exact and
// the same on every machine, with or without assembly.
//
// It owns the vectors and the arithmetic on them; it knows nothing of models
// (a [Set] holds vectors of one model, the caller keeps one a model), rules or
// connections, and has no goroutine.
//
// # The cosine
//
// A product of two float32 is exact in float64, so that adding it rounds once
// whether or not the machine fuses it with the addition. That leaves only the
// order of the additions to fix. For vectors a and b of [Dim] numbers:
//
//	part[j] = sum of a[i]*b[i] over i ≡ j (mod 32), i ascending      j in 0..31
//	t[j]    = (part[j]+part[j+8]) + (part[j+16]+part[j+24])          j in 0..7
//	dot     = ((t0+t4)+(t2+t6)) + ((t1+t5)+(t3+t7))
//	cosine  = dot(a,b) / sqrt(dot(a,a)*dot(b,b)), held to [-1, 1]
//
// all in float64. sqrt(d*d) is exactly d, so a vector's cosine with itself is
// exactly 1 and a threshold of 1 finds it. Rejected: float32 accumulation, for
// which a fused and an unfused machine differ in the last digits, so that an
// event at the threshold would pass on one node and not on the next.
//
// # The prefilter
//
// Every row r is kept twice: as float32, and as int8 q with r = s·q + e, where
// s = max|r|/127. For an event x = u·p + f in the same form, with E = ‖e‖/‖r‖
// and F = ‖f‖/‖x‖:
//
//	r·x = s·u·(q·p) + e·(u·p) + r·f
//
// and by Cauchy–Schwarz, since ‖u·p‖ ≤ ‖x‖+‖f‖,
//
//	|cosine − s·u·(q·p)/(‖r‖‖x‖)| ≤ E·(1+F) + F
//
// q·p is an integer below 2^25 and computed exactly, so every kernel agrees on
// it. A row is skipped only where the estimate plus that bound plus [slack]
// stays below the row's lowest threshold; all others are computed exactly. The
// slack covers rounding: dot has 1,536 additions, so its error against real
// arithmetic is below 1536·2⁻⁵³·‖r‖‖x‖ < 2·10⁻¹³‖r‖‖x‖; e is computed with an
// error below 2⁻⁵²·max|r| in each of 1,536 numbers, below 10⁻¹⁴·‖r‖ in all;
// norms, quotients and the estimate add a few 10⁻¹³. Their sum stays under
// 10⁻¹¹, a hundredth of the slack.
//
// A kernel without fast integers goes without the prefilter.
//
// The prefilter reads a quarter of the bytes, which is what a scan costs. For
// vectors whose numbers are of like size E is about 0.01; one outlier among
// them makes E large, the row is then computed exactly more often, and the
// answer stays right.
package vector
