package dev.gatun.verify;

import static dev.gatun.engine.DType.BOOL;
import static dev.gatun.engine.DType.F32;
import static dev.gatun.engine.DType.F64;
import static dev.gatun.engine.DType.I64;
import static dev.gatun.ops.CrossEntropy.crossEntropy;
import static dev.gatun.ops.Embedding.embedding;
import static dev.gatun.ops.LayerNorm.layerNorm;
import static dev.gatun.ops.LogSoftmax.logSoftmax;
import static dev.gatun.ops.LogSumExp.logSumExp;
import static dev.gatun.ops.RmsNorm.rmsNorm;
import static dev.gatun.ops.Softmax.softmax;
import static dev.gatun.ops.sequence.Attention.attention;
import static dev.gatun.ops.sequence.CausalConv.causalConv;
import static dev.gatun.ops.sequence.DecayMatrix.decayMatrix;
import static dev.gatun.ops.sequence.LinearScan.linearScan;
import static dev.gatun.ops.sequence.NewtonSchulz.newtonSchulz;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.engine.DTypeException;
import dev.gatun.engine.Device;
import dev.gatun.engine.DeviceException;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.cuda.Gpu;
import dev.gatun.ops.Activations;
import dev.gatun.ops.Norms;
import dev.gatun.ops.Random;
import dev.gatun.ops.sequence.Attention;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.function.Executable;

/** What users are told when they pass the wrong thing, family by family and to the letter. */
@Tag("once")
class ErrorsTest {

    @TestFactory
    Stream<DynamicTest> arithmetic_comparison_and_choice() {
        return Stream.of(
                refused(ShapeException.class, () -> f32(2, 3).add(f32(2, 4)), """
                        add: sizes do not broadcast: 3 against 4 on axis -1
                          a: f32[2, 3] cpu
                          b: f32[2, 4] cpu"""),
                refused(DTypeException.class, () -> f32(2).mul(f64(2)), """
                        mul: dtypes differ: f32 and f64
                          a: f32[2] cpu
                          b: f64[2] cpu"""),
                refused(DTypeException.class, () -> f32(2).mul(i64(2)), """
                        mul: dtypes differ: f32 and i64
                          a: f32[2] cpu
                          b: i64[2] cpu"""),
                refused(DTypeException.class, () -> i64(2).exp(), """
                        exp: real numbers are needed, not i64
                          x: i64[2] cpu"""),
                refused(DTypeException.class, () -> bool(2).sqrt(), """
                        sqrt: real numbers are needed, not bool
                          x: bool[2] cpu"""),
                refused(DTypeException.class, () -> i64(2).pow(2.0), """
                        pow: real numbers are needed, not i64
                          x: i64[2] cpu"""),
                refused(DTypeException.class, () -> f32(2).lt(f64(2)), """
                        lt: dtypes differ: f32 and f64
                          a: f32[2] cpu
                          b: f64[2] cpu"""),
                refused(DTypeException.class, () -> f32(2).and(f32(2)), """
                        and: truth values (bool) are needed, not f32
                          a: f32[2] cpu
                          b: f32[2] cpu"""),
                refused(DTypeException.class, () -> bool(2).select(f32(2), f64(2)), """
                        select: dtypes differ: f32 and f64
                          mask: bool[2] cpu
                          yes: f32[2] cpu
                          no: f64[2] cpu"""),
                refused(DTypeException.class, () -> f32(2).select(f32(2), f32(2)), """
                        select: truth values (bool) are needed, not f32
                          mask: f32[2] cpu
                          yes: f32[2] cpu
                          no: f32[2] cpu"""));
    }

    @TestFactory
    Stream<DynamicTest> views() {
        return Stream.of(
                refused(ShapeException.class, () -> f32(2, 3).reshape(4, 2), """
                        reshape: 6 elements do not fill [4, 2], which has 8
                          x: f32[2, 3] cpu"""),
                refused(ShapeException.class, () -> f32(2, 3).reshape(-1, 4), """
                        reshape: 6 elements do not divide by 4, the product of the other sizes of [-1, 4]
                          x: f32[2, 3] cpu"""),
                refused(ShapeException.class, () -> f32(2, 3).permute(0), """
                        permute: the order [0] does not name each of 2 axes once
                          x: f32[2, 3] cpu"""),
                refused(ShapeException.class, () -> f32(2, 3).permute(0, 0), """
                        permute: the order [0, 0] does not name each of 2 axes once
                          x: f32[2, 3] cpu"""),
                refused(ShapeException.class, () -> f32(2, 3).expand(Shape.of(4, 3)), """
                        expand: [2, 3] does not repeat to [4, 3]
                          x: f32[2, 3] cpu"""),
                refused(ShapeException.class, () -> f32(2, 3).slice(1, 2, 5), """
                        slice: 2..5 with step 1 of axis 1, which has size 3
                          x: f32[2, 3] cpu"""),
                refused(ShapeException.class, () -> f32(2, 3).slice(2, 0, 1), """
                        slice: there is no axis 2 among 2
                          x: f32[2, 3] cpu"""),
                refused(ShapeException.class, () -> f32(2, 3).dropAxis(0), """
                        dropAxis: axis 0 has size 2, not 1
                          x: f32[2, 3] cpu"""),
                refused(ShapeException.class, () -> f32(2, 3).insertAxis(4), """
                        insertAxis: no place 4 for a further axis among 2
                          x: f32[2, 3] cpu"""));
    }

    @TestFactory
    Stream<DynamicTest> moving_numbers() {
        return Stream.of(
                refused(ShapeException.class, () -> Tensor.concat(0, List.of()),
                        "concat: no parts"),
                refused(ShapeException.class, () -> Tensor.concat(0, List.of(f32(2, 3), f32(2, 4))), """
                        concat: sizes besides axis 0 differ: [2, 3] and [2, 4]
                          a: f32[2, 3] cpu
                          b: f32[2, 4] cpu"""),
                refused(DTypeException.class, () -> Tensor.concat(0, List.of(f32(2, 3), f64(2, 3))), """
                        concat: dtypes differ: f32 and f64
                          a: f32[2, 3] cpu
                          b: f64[2, 3] cpu"""),
                refused(ShapeException.class, () -> Tensor.concat(2, List.of(f32(2, 3), f32(2, 3))), """
                        concat: axis 2 of a shape with 2 axes, [2, 3]
                          a: f32[2, 3] cpu
                          b: f32[2, 3] cpu"""),
                refused(DTypeException.class, () -> f32(2, 3).gather(1, f32(2, 1)), """
                        gather: the index must be of whole numbers, not f32
                          x: f32[2, 3] cpu
                          index: f32[2, 1] cpu"""),
                refused(ShapeException.class, () -> f32(2, 3).gather(1, i64(3, 1)), """
                        gather: sizes besides axis 1 differ: [2, 3] and index [3, 1]
                          x: f32[2, 3] cpu
                          index: i64[3, 1] cpu"""),
                refused(IndexOutOfBoundsException.class, () -> f32(2, 3).gather(1, i64(2, 1).add(3)), """
                        gather: index 3 on an axis of size 3
                          x: f32[2, 3]
                          index: i64[2, 1]"""),
                refused(ShapeException.class, () -> f32(2, 3).scatterAdd(1, i64(2, 2), 3), """
                        scatterAdd: axis 1 has size 3, that of the index 2
                          x: f32[2, 3] cpu
                          index: i64[2, 2] cpu"""),
                refused(IndexOutOfBoundsException.class, () -> f32(2, 3).scatterAdd(1, i64(2, 3).add(3), 3), """
                        scatterAdd: index 3 on an axis of size 3
                          x: f32[2, 3]
                          index: i64[2, 3]"""),
                refused(ShapeException.class, () -> f32(2).lowerTriangle(), """
                        lowerTriangle: two axes are needed, there are 1
                          x: f32[2] cpu"""),
                refused(ShapeException.class, () -> f32(2, 3).flip(2), """
                        flip: there is no axis 2 among 2
                          x: f32[2, 3] cpu"""));
    }

    @TestFactory
    Stream<DynamicTest> reductions() {
        return Stream.of(
                refused(DTypeException.class, () -> bool(2, 3).sum(1), """
                        sum: numbers are needed, not bool
                          x: bool[2, 3] cpu"""),
                refused(ShapeException.class, () -> f32(2, 3).sum(2), """
                        sum: there is no axis 2 among 2
                          x: f32[2, 3] cpu"""),
                refused(ShapeException.class, () -> f32(2, 0).max(1), """
                        max: axis 1 is empty and has no largest number
                          x: f32[2, 0] cpu"""),
                refused(DTypeException.class, () -> bool(2, 3).argmax(1), """
                        argmax: numbers are needed, not bool
                          x: bool[2, 3] cpu"""),
                refused(DTypeException.class, () -> i64(2, 3).cumsum(1), """
                        cumsum: real numbers are needed, not i64
                          x: i64[2, 3] cpu"""),
                refused(ShapeException.class, () -> f32(2, 3).sumTo(Shape.of(2)), """
                        sumTo: [2] does not repeat to [2, 3]
                          x: f32[2, 3] cpu"""));
    }

    @TestFactory
    Stream<DynamicTest> products() {
        return Stream.of(
                refused(ShapeException.class, () -> f32(2, 3).matmul(f32(4, 2)), """
                        matmul: inner sizes differ: a ends with 3, b starts with 4
                          a: f32[2, 3] cpu
                          b: f32[4, 2] cpu"""),
                refused(DTypeException.class, () -> f32(2, 3).matmul(f64(3, 2)), """
                        matmul: dtypes differ: f32 and f64
                          a: f32[2, 3] cpu
                          b: f64[3, 2] cpu"""),
                refused(ShapeException.class, () -> f32(3).matmul(f32(3, 2)), """
                        matmul: matrices have two axes: a has 1, b has 2
                          a: f32[3] cpu
                          b: f32[3, 2] cpu"""),
                refused(ShapeException.class, () -> f32(2, 2, 3).matmul(f32(3, 3, 2)), """
                        matmul: sizes do not broadcast: 2 against 3 on axis -1
                          a: f32[2, 2, 3] cpu
                          b: f32[3, 3, 2] cpu"""),
                refused(DTypeException.class, () -> i64(2, 3).matmul(i64(3, 2)), """
                        matmul: real numbers are needed, not i64
                          a: i64[2, 3] cpu
                          b: i64[3, 2] cpu"""));
    }

    @TestFactory
    Stream<DynamicTest> tensors_themselves() {
        return Stream.of(
                refused(DTypeException.class, () -> i64(2).track(), """
                        track: gradients need real numbers, not i64
                          x: i64[2] cpu"""),
                refused(ShapeException.class, () -> f32(2).item(), """
                        item: one element is wanted, the tensor has 2
                          x: f32[2] cpu"""),
                refused(ShapeException.class, () -> f32(2).get(2), """
                        get: index 2 on axis 0 of size 2
                          x: f32[2] cpu"""),
                refused(ShapeException.class, () -> f32(2).get(0, 0), """
                        get: 2 numbers index 1 axes
                          x: f32[2] cpu"""),
                refused(ShapeException.class, () -> Tensor.of(F32, Shape.of(3), 1, 2),
                        "of: f32[3] has 3 elements, 2 are given"),
                refused(ShapeException.class, () -> Shape.of(-1),
                        "negative size in [-1]"),
                refused(ShapeException.class, () -> Shape.of(Long.MAX_VALUE, 2),
                        "too many elements for a long in [9223372036854775807, 2]"),
                refused(DeviceException.class, () -> Tensor.of(new Spec(F32, Shape.of(2))).add(f32(2)), """
                        add: inputs on different devices: a on none, b on cpu
                          a: f32[2] none
                          b: f32[2] cpu"""),
                refused(DeviceException.class, () -> Tensor.of(new Spec(F32, Shape.of(2))).toDoubles(), """
                        segment: x has a spec only and no numbers
                          x: f32[2] none"""),
                refused(DeviceException.class, () -> f32(2).to(Device.cuda(99)),
                        "to: no way from cpu to cuda:99, " + Gpu.missing(99).orElseThrow() + "\n  x: f32[2] cpu"));
    }

    @TestFactory
    Stream<DynamicTest> softmax_and_losses() {
        return Stream.of(
                refused(DTypeException.class, () -> softmax(i64(2, 3), -1), """
                        softmax: real numbers are needed, not i64
                          x: i64[2, 3] cpu"""),
                refused(ShapeException.class, () -> softmax(f32(2, 3), 2), """
                        softmax: there is no axis 2 among 2
                          x: f32[2, 3] cpu"""),
                refused(DTypeException.class, () -> logSoftmax(bool(2, 3), -1), """
                        logSoftmax: real numbers are needed, not bool
                          x: bool[2, 3] cpu"""),
                refused(DTypeException.class, () -> logSumExp(i64(2, 3), -1), """
                        logSumExp: real numbers are needed, not i64
                          x: i64[2, 3] cpu"""),
                refused(ShapeException.class, () -> crossEntropy(f32(3, 5), i64(4)), """
                        crossEntropy: a target for each row is needed: logits are [3, 5], targets [4]
                          logits: f32[3, 5] cpu
                          target: i64[4] cpu"""),
                refused(DTypeException.class, () -> crossEntropy(f32(3, 5), f32(3)), """
                        crossEntropy: targets are whole numbers, not f32
                          logits: f32[3, 5] cpu
                          target: f32[3] cpu"""),
                refused(IndexOutOfBoundsException.class, () -> crossEntropy(f32(3, 5), i64(3).add(5)), """
                        crossEntropy: target 5 in row 0 is not one of 5 classes
                          logits: f32[3, 5]
                          target: i64[3]"""),
                refused(IndexOutOfBoundsException.class, () -> crossEntropy(f32(3, 5), i64(3).add(-1)), """
                        crossEntropy: target -1 in row 0 is not one of 5 classes
                          logits: f32[3, 5]
                          target: i64[3]"""),
                refused(IllegalArgumentException.class, () -> crossEntropy(f32(3, 5), i64(3), 1.5),
                        "crossEntropy: the smoothing must be from 0 to 1, is 1.5"));
    }

    @TestFactory
    Stream<DynamicTest> norms_embedding_and_activations() {
        return Stream.of(
                refused(ShapeException.class, () -> layerNorm(f32(3, 5), f32(4), f32(4), 1e-5), """
                        layerNorm: the weight is [4] and does not fit the last axes of x, [3, 5]
                          x: f32[3, 5] cpu
                          w: f32[4] cpu
                          b: f32[4] cpu"""),
                refused(ShapeException.class, () -> layerNorm(f32(3, 5), f32(5), f32(4), 1e-5), """
                        layerNorm: the bias is f32[4], the weight f32[5]
                          x: f32[3, 5] cpu
                          w: f32[5] cpu
                          b: f32[4] cpu"""),
                refused(DTypeException.class, () -> layerNorm(f32(3, 5), f64(5), f64(5), 1e-5), """
                        layerNorm: dtypes differ: f32 and f64
                          x: f32[3, 5] cpu
                          w: f64[5] cpu
                          b: f64[5] cpu"""),
                refused(ShapeException.class, () -> rmsNorm(f32(3, 5), f32(4), 1e-6), """
                        rmsNorm: the weight is [4] and does not fit the last axes of x, [3, 5]
                          x: f32[3, 5] cpu
                          w: f32[4] cpu"""),
                refused(DTypeException.class, () -> rmsNorm(i64(3, 5), i64(5), 1e-6), """
                        rmsNorm: real numbers are needed, not i64
                          x: i64[3, 5] cpu
                          w: i64[5] cpu"""),
                refused(ShapeException.class, () -> Norms.groupLayerNorm(f32(3, 5), 2, f32(5), 1e-6), """
                        groupLayerNorm: a width of 5 does not divide by 2 groups
                          x: f32[3, 5] cpu"""),
                refused(IndexOutOfBoundsException.class, () -> embedding(f32(5, 3), i64(2).add(5)), """
                        embedding: id 5 of a table with 5 rows
                          weight: f32[5, 3]
                          ids: i64[2]"""),
                refused(DTypeException.class, () -> embedding(f32(5, 3), f32(2)), """
                        embedding: ids are whole numbers, not f32
                          weight: f32[5, 3] cpu
                          ids: f32[2] cpu"""),
                refused(ShapeException.class, () -> embedding(f32(5), i64(2)), """
                        embedding: the table has two axes, this one has 1
                          weight: f32[5] cpu
                          ids: i64[2] cpu"""),
                refused(DTypeException.class, () -> Activations.silu(i64(2)), """
                        silu: real numbers are needed, not i64
                          x: i64[2] cpu"""),
                refused(ShapeException.class, () -> Activations.swiglu(f32(2), f32(3)), """
                        swiglu: sizes do not broadcast: 2 against 3 on axis -1
                          gate: f32[2] cpu
                          up: f32[3] cpu"""),
                refused(IllegalArgumentException.class, () -> Activations.softcap(f32(2), 0),
                        "softcap: the cap must be positive, is 0.0"));
    }

    @TestFactory
    Stream<DynamicTest> sequences() {
        return Stream.of(
                refused(ShapeException.class, () -> causalConv(f32(2, 5, 3), f32(4, 4), null, false), """
                        causalConv: w is [4, 4], for x [2, 5, 3] it must be [3, K] with K above 0
                          x: f32[2, 5, 3] cpu
                          w: f32[4, 4] cpu
                          state: f32[2, 3, 3] cpu"""),
                refused(ShapeException.class, () -> causalConv(f32(2, 5), f32(5, 4), null, false), """
                        causalConv: x is [B, T, D], three axes and not 2
                          x: f32[2, 5] cpu
                          w: f32[5, 4] cpu
                          state: f32[2, 3, 5] cpu"""),
                refused(ShapeException.class, () -> causalConv(f32(2, 5, 3), f32(3, 4), f32(4), false), """
                        causalConv: the bias is f32[4], for x it must be f32[3]
                          x: f32[2, 5, 3] cpu
                          w: f32[3, 4] cpu
                          state: f32[2, 3, 3] cpu
                          bias: f32[4] cpu"""),
                refused(ShapeException.class, () -> causalConv(f32(2, 5, 3), f32(3, 4), null, f32(2, 2, 3), false), """
                        causalConv: the state is [2, 2, 3], for these x and w it must be [2, 3, 3]
                          x: f32[2, 5, 3] cpu
                          w: f32[3, 4] cpu
                          state: f32[2, 2, 3] cpu"""),
                refused(ShapeException.class, () -> causalConv(f32(2, 5, 3), f32(3, 0), null, false), """
                        causalConv: w is [3, 0], for x [2, 5, 3] it must be [3, K] with K above 0
                          x: f32[2, 5, 3] cpu
                          w: f32[3, 0] cpu
                          state: f32[2, 0, 3] cpu"""),
                refused(ShapeException.class, () -> linearScan(f32(2, 5, 3), f32(2, 5, 4), f32(2, 3)), """
                        linearScan: a is [2, 5, 3], b [2, 5, 4]
                          a: f32[2, 5, 3] cpu
                          b: f32[2, 5, 4] cpu
                          state: f32[2, 3] cpu"""),
                refused(ShapeException.class, () -> linearScan(f32(2, 5, 3), f32(2, 5, 3), f32(2, 4)), """
                        linearScan: a state for each line is needed: a is [2, 5, 3], the state [2, 4]
                          a: f32[2, 5, 3] cpu
                          b: f32[2, 5, 3] cpu
                          state: f32[2, 4] cpu"""),
                refused(DTypeException.class, () -> linearScan(f32(2, 5, 3), f64(2, 5, 3), f32(2, 3)), """
                        linearScan: dtypes differ: f32 and f64
                          a: f32[2, 5, 3] cpu
                          b: f64[2, 5, 3] cpu
                          state: f32[2, 3] cpu"""),
                refused(ShapeException.class, () -> decayMatrix(f32()), """
                        decayMatrix: a time axis is needed, there is none
                          x: f32[] cpu"""),
                refused(ShapeException.class, () -> newtonSchulz(f32(3)), """
                        newtonSchulz: matrices have two axes, there are 1
                          x: f32[3] cpu"""),
                refused(IllegalArgumentException.class, () -> newtonSchulz(f32(3, 3), -1, 1e-7),
                        "newtonSchulz: steps and eps must not be negative, are -1 and 1.0E-7"));
    }

    @TestFactory
    Stream<DynamicTest> attention_of_queries_to_keys() {
        return Stream.of(
                refused(ShapeException.class, () -> attention(f32(1, 4, 5, 8), f32(1, 3, 5, 8), f32(1, 3, 5, 8), Attention.CAUSAL), """
                        attention: heads of q must be a multiple of those of k: 4 and 3
                          q: f32[1, 4, 5, 8] cpu
                          k: f32[1, 3, 5, 8] cpu
                          v: f32[1, 3, 5, 8] cpu"""),
                refused(ShapeException.class, () -> attention(f32(1, 4, 5, 8), f32(1, 2, 5, 7), f32(1, 2, 5, 8), Attention.CAUSAL), """
                        attention: key widths differ: 8 in q, 7 in k
                          q: f32[1, 4, 5, 8] cpu
                          k: f32[1, 2, 5, 7] cpu
                          v: f32[1, 2, 5, 8] cpu"""),
                refused(ShapeException.class, () -> attention(f32(1, 4, 5, 8), f32(1, 2, 5, 8), f32(1, 2, 6, 8), Attention.CAUSAL), """
                        attention: numbers of keys differ: 5 in k, 6 in v
                          q: f32[1, 4, 5, 8] cpu
                          k: f32[1, 2, 5, 8] cpu
                          v: f32[1, 2, 6, 8] cpu"""),
                refused(ShapeException.class, () -> attention(f32(4, 5, 8), f32(1, 2, 5, 8), f32(1, 2, 6, 8), Attention.CAUSAL), """
                        attention: q, k and v have four axes [B, H, T, D], not 3, 4 and 4
                          q: f32[4, 5, 8] cpu
                          k: f32[1, 2, 5, 8] cpu
                          v: f32[1, 2, 6, 8] cpu"""),
                refused(DTypeException.class, () -> attention(f32(1, 4, 5, 8), f64(1, 2, 5, 8), f32(1, 2, 5, 8), Attention.CAUSAL), """
                        attention: one type of real numbers is needed: q is f32, k f64, v f32
                          q: f32[1, 4, 5, 8] cpu
                          k: f64[1, 2, 5, 8] cpu
                          v: f32[1, 2, 5, 8] cpu"""),
                refused(DTypeException.class, () -> attention(f32(1, 4, 5, 8), f32(1, 2, 5, 8), f32(1, 2, 5, 8), f32(1, 5), Attention.CAUSAL), """
                        attention: a mask of truth values (bool) is needed, not f32
                          q: f32[1, 4, 5, 8] cpu
                          k: f32[1, 2, 5, 8] cpu
                          v: f32[1, 2, 5, 8] cpu
                          mask: f32[1, 5] cpu"""),
                refused(ShapeException.class, () -> attention(f32(1, 4, 5, 8), f32(1, 2, 5, 8), f32(1, 2, 5, 8), bool(1, 4), Attention.CAUSAL), """
                        attention: a mask of keys is [B, Tk] = [1, 5], not [1, 4]
                          q: f32[1, 4, 5, 8] cpu
                          k: f32[1, 2, 5, 8] cpu
                          v: f32[1, 2, 5, 8] cpu
                          mask: bool[1, 4] cpu"""),
                refused(IllegalArgumentException.class, () -> new Attention(0, true, -1, 0, 0),
                        "attention: window -1, prefix 0 and softcap 0.0 must not be negative, scale 0.0 must be a number"));
    }

    @TestFactory
    Stream<DynamicTest> random_numbers() {
        return Stream.of(
                refused(DTypeException.class, () -> Random.uniform(Key.of(1), I64, Shape.of(2)),
                        "uniform: real numbers are needed, not i64"),
                refused(ShapeException.class, () -> Random.integers(Key.of(1), Shape.of(2), 3, 3),
                        "integers: no whole number from 3 to below 3"),
                refused(IllegalArgumentException.class, () -> Random.dropout(f32(2), 1.5, Key.of(1)),
                        "dropout: the rate must be from 0 to 1, is 1.5"),
                refused(IllegalArgumentException.class, () -> Random.bernoulli(Key.of(1), Shape.of(2), -0.5),
                        "bernoulli: the probability must be from 0 to 1, is -0.5"));
    }

    private static DynamicTest refused(Class<? extends RuntimeException> type, Executable call, String message) {
        return DynamicTest.dynamicTest(message.lines().findFirst().orElseThrow(), () -> {
            RuntimeException error = assertThrows(type, call);
            assertEquals(type, error.getClass());
            assertEquals(message, error.getMessage());
        });
    }

    private static Tensor f32(long... dims) {
        return Tensor.zeros(F32, Shape.of(dims));
    }

    private static Tensor f64(long... dims) {
        return Tensor.zeros(F64, Shape.of(dims));
    }

    private static Tensor i64(long... dims) {
        return Tensor.zeros(I64, Shape.of(dims));
    }

    private static Tensor bool(long... dims) {
        return Tensor.zeros(BOOL, Shape.of(dims));
    }
}
