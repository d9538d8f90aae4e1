//go:build amd64 && !purego

#include "textflag.h"

// The order of additions is the package comment's: register k of a kernel
// holds neighbouring partial sums, and the fold pairs those that are 8, 16 and 24 apart.

// func dotAVX512(row *float32, event *float64, out *[8]float64)
TEXT ·dotAVX512(SB), NOSPLIT, $0-24
	MOVQ   row+0(FP), SI
	MOVQ   event+8(FP), DI
	MOVQ   out+16(FP), DX
	VPXORQ Z0, Z0, Z0
	VPXORQ Z1, Z1, Z1
	VPXORQ Z2, Z2, Z2
	VPXORQ Z3, Z3, Z3
	MOVQ   $48, CX

dot512:
	PREFETCHT0   6144(SI)
	PREFETCHT0   6208(SI)
	VCVTPS2PD    (SI), Z4
	VCVTPS2PD    32(SI), Z5
	VCVTPS2PD    64(SI), Z6
	VCVTPS2PD    96(SI), Z7
	VFMADD231PD  (DI), Z4, Z0
	VFMADD231PD  64(DI), Z5, Z1
	VFMADD231PD  128(DI), Z6, Z2
	VFMADD231PD  192(DI), Z7, Z3
	ADDQ         $128, SI
	ADDQ         $256, DI
	DECQ         CX
	JNZ          dot512
	VADDPD       Z1, Z0, Z0
	VADDPD       Z3, Z2, Z2
	VADDPD       Z2, Z0, Z0
	VMOVUPD      Z0, (DX)
	VZEROUPPER
	RET

// func dotAVX2(row *float32, event *float64, out *[8]float64)
TEXT ·dotAVX2(SB), NOSPLIT, $0-24
	MOVQ  row+0(FP), SI
	MOVQ  event+8(FP), DI
	MOVQ  out+16(FP), DX
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7
	MOVQ  $48, CX

dot256:
	PREFETCHT0  6144(SI)
	PREFETCHT0  6208(SI)
	VCVTPS2PD   (SI), Y8
	VCVTPS2PD   16(SI), Y9
	VCVTPS2PD   32(SI), Y10
	VCVTPS2PD   48(SI), Y11
	VCVTPS2PD   64(SI), Y12
	VCVTPS2PD   80(SI), Y13
	VCVTPS2PD   96(SI), Y14
	VCVTPS2PD   112(SI), Y15
	VFMADD231PD (DI), Y8, Y0
	VFMADD231PD 32(DI), Y9, Y1
	VFMADD231PD 64(DI), Y10, Y2
	VFMADD231PD 96(DI), Y11, Y3
	VFMADD231PD 128(DI), Y12, Y4
	VFMADD231PD 160(DI), Y13, Y5
	VFMADD231PD 192(DI), Y14, Y6
	VFMADD231PD 224(DI), Y15, Y7
	ADDQ        $128, SI
	ADDQ        $256, DI
	DECQ        CX
	JNZ         dot256
	VADDPD      Y2, Y0, Y0
	VADDPD      Y6, Y4, Y4
	VADDPD      Y4, Y0, Y0
	VADDPD      Y3, Y1, Y1
	VADDPD      Y7, Y5, Y5
	VADDPD      Y5, Y1, Y1
	VMOVUPD     Y0, (DX)
	VMOVUPD     Y1, 32(DX)
	VZEROUPPER
	RET

DATA flip<>+0(SB)/8, $0x8080808080808080
GLOBL flip<>(SB), RODATA|NOPTR, $8

// ahead fetches the six lines of the next page's bounds.
#define ahead \
	PREFETCHT0 (R9)    \
	PREFETCHT0 64(R9)  \
	PREFETCHT0 128(R9) \
	PREFETCHT0 192(R9) \
	PREFETCHT0 256(R9) \
	PREFETCHT0 320(R9)

// func sumsVNNI(rows *int8, fours int, event *int8, next *int8, bounds *float64, out *int32)
TEXT ·sumsVNNI(SB), NOSPLIT, $0-48
	MOVQ         rows+0(FP), SI
	MOVQ         fours+8(FP), BX
	MOVQ         event+16(FP), DI
	MOVQ         next+24(FP), R10
	MOVQ         bounds+32(FP), R9
	MOVQ         out+40(FP), DX
	VPBROADCASTQ flip<>(SB), Z15
	ahead

group:
	// Eight rows ahead; the last eight fetch the next page's first.
	LEAQ    12288(SI), R8
	CMPQ    BX, $2
	CMOVQLE R10, R8
	LEAQ    6144(R10), R11
	CMOVQLE R11, R10
	VPXORQ Z0, Z0, Z0
	VPXORQ Z1, Z1, Z1
	VPXORQ Z2, Z2, Z2
	VPXORQ Z3, Z3, Z3
	XORQ   AX, AX

step:
	PREFETCHT0 (R8)(AX*1)
	PREFETCHT0 1536(R8)(AX*1)
	PREFETCHT0 3072(R8)(AX*1)
	PREFETCHT0 4608(R8)(AX*1)
	VMOVDQU64  (DI)(AX*1), Z8
	VPXORQ     (SI)(AX*1), Z15, Z4
	VPXORQ     1536(SI)(AX*1), Z15, Z5
	VPXORQ     3072(SI)(AX*1), Z15, Z6
	VPXORQ     4608(SI)(AX*1), Z15, Z7
	VPDPBUSD   Z8, Z4, Z0
	VPDPBUSD   Z8, Z5, Z1
	VPDPBUSD   Z8, Z6, Z2
	VPDPBUSD   Z8, Z7, Z3
	ADDQ       $64, AX
	CMPQ       AX, $1536
	JNE        step

	VEXTRACTI64X4 $1, Z0, Y4
	VEXTRACTI64X4 $1, Z1, Y5
	VEXTRACTI64X4 $1, Z2, Y6
	VEXTRACTI64X4 $1, Z3, Y7
	VPADDD        Y4, Y0, Y0
	VPADDD        Y5, Y1, Y1
	VPADDD        Y6, Y2, Y2
	VPADDD        Y7, Y3, Y3
	VPHADDD       Y1, Y0, Y0
	VPHADDD       Y3, Y2, Y2
	VPHADDD       Y2, Y0, Y0
	VEXTRACTI128  $1, Y0, X1
	VPADDD        X1, X0, X0
	VMOVDQU       X0, (DX)
	ADDQ          $16, DX
	ADDQ          $6144, SI
	DECQ          BX
	JNZ           group
	VZEROUPPER
	RET

// func sumsAVX2(rows *int8, n int, event *int8, next *int8, bounds *float64, out *int32)
// |p|·(q with p's sign): both are at most 127, so that the sum of two products
// stays below 32,768 and VPMADDUBSW cannot saturate.
TEXT ·sumsAVX2(SB), NOSPLIT, $0-48
	MOVQ     rows+0(FP), SI
	MOVQ     n+8(FP), BX
	MOVQ     event+16(FP), DI
	MOVQ     next+24(FP), R10
	MOVQ     bounds+32(FP), R9
	MOVQ     out+40(FP), DX
	VPCMPEQW Y15, Y15, Y15
	VPSRLW   $15, Y15, Y15 // sixteen ones
	ahead

row256:
	// Four rows ahead; the last four fetch the next page's first.
	LEAQ    6144(SI), R8
	CMPQ    BX, $4
	CMOVQLE R10, R8
	LEAQ    1536(R10), R11
	CMOVQLE R11, R10
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	XORQ  AX, AX

step256:
	PREFETCHT0 (R8)(AX*1)
	VMOVDQU    (DI)(AX*1), Y4
	VMOVDQU    32(DI)(AX*1), Y5
	VMOVDQU    (SI)(AX*1), Y6
	VMOVDQU    32(SI)(AX*1), Y7
	VPSIGNB    Y4, Y6, Y6
	VPSIGNB    Y5, Y7, Y7
	VPABSB     Y4, Y4
	VPABSB     Y5, Y5
	VPMADDUBSW Y6, Y4, Y6
	VPMADDUBSW Y7, Y5, Y7
	VPMADDWD   Y15, Y6, Y6
	VPMADDWD   Y15, Y7, Y7
	VPADDD     Y6, Y0, Y0
	VPADDD     Y7, Y1, Y1
	ADDQ       $64, AX
	CMPQ       AX, $1536
	JNE        step256

	VPADDD       Y1, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDD       X1, X0, X0
	VPHADDD      X0, X0, X0
	VPHADDD      X0, X0, X0
	VMOVD        X0, (DX)
	ADDQ         $4, DX
	ADDQ         $1536, SI
	DECQ         BX
	JNZ          row256
	VZEROUPPER
	RET
