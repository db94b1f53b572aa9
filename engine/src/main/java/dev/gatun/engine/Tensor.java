package dev.gatun.engine;

import dev.gatun.engine.algebra.Arithmetic;
import dev.gatun.engine.algebra.Compare;
import dev.gatun.engine.algebra.Concat;
import dev.gatun.engine.algebra.Cumulative;
import dev.gatun.engine.algebra.Fill;
import dev.gatun.engine.algebra.Functions;
import dev.gatun.engine.algebra.Indexing;
import dev.gatun.engine.algebra.MatMul;
import dev.gatun.engine.algebra.Max;
import dev.gatun.engine.algebra.Reductions;
import dev.gatun.engine.algebra.Views;
import dev.gatun.engine.cuda.Gpu;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * Numbers in a strided box, off the heap: dtype and shape, strides and an offset, a storage that
 * views share, and the {@link Node} that made it. Immutable. Methods are the closed algebra, one
 * line an operation; everything else is a static function in its op's own file.
 *
 * <p>Shapes broadcast from the right: axes of size one repeat. Reductions keep the reduced axis
 * with size one, so that a result broadcasts against what it was made of.
 */
public final class Tensor {

    static final Tensor NONE = new Tensor(new Spec(DType.F32, Shape.of()), null, 0, null, Device.none());

    private final Spec spec;
    private final long[] strides; // null: contiguous
    private final long offset;
    private final Storage storage;
    private final Device device;
    private boolean leaf;
    private Node node;

    Tensor(Spec spec, long[] strides, long offset, Storage storage, Device device) {
        this.spec = spec;
        this.strides = strides == null || lieRowByRow(spec.shape(), strides) ? null : strides;
        this.offset = offset;
        this.storage = storage;
        this.device = device;
    }

    private static boolean lieRowByRow(Shape shape, long[] strides) {
        long step = 1;
        for (int axis = strides.length - 1; axis >= 0; axis--) {
            long dim = shape.dim(axis);
            if (dim != 1 && strides[axis] != step) {
                return shape.elements() == 0;
            }
            step *= dim;
        }
        return true;
    }

    // ---- making ----

    /** Numbers along one axis. */
    public static Tensor of(DType dtype, double... values) {
        return of(dtype, Shape.of(values.length), values);
    }

    /** Numbers in a shape, row by row. */
    public static Tensor of(DType dtype, Shape shape, double... values) {
        Tensor t = fresh(new Spec(dtype, shape), values.length);
        MemorySegment s = t.first();
        for (int i = 0; i < values.length; i++) {
            Args.set(dtype, s, i, values[i]);
        }
        return t;
    }

    /** Floats in a shape, row by row. */
    public static Tensor of(Shape shape, float... values) {
        Tensor t = fresh(new Spec(DType.F32, shape), values.length);
        MemorySegment.copy(values, 0, t.first(), ValueLayout.JAVA_FLOAT, 0, values.length);
        return t;
    }

    /** Whole numbers in a shape, row by row, as I64. */
    public static Tensor of(Shape shape, long... values) {
        Tensor t = fresh(new Spec(DType.I64, shape), values.length);
        MemorySegment.copy(values, 0, t.first(), ValueLayout.JAVA_LONG, 0, values.length);
        return t;
    }

    /** Truth values in a shape, row by row. */
    public static Tensor of(Shape shape, boolean... values) {
        Tensor t = fresh(new Spec(DType.BOOL, shape), values.length);
        for (int i = 0; i < values.length; i++) {
            Args.set(DType.BOOL, t.first(), i, values[i] ? 1 : 0);
        }
        return t;
    }

    /**
     * Numbers that already lie in memory, row by row and little-endian, such as a part of a mapped
     * file. Nothing is copied; the segment must outlive the tensor.
     */
    public static Tensor over(Spec spec, MemorySegment memory) {
        if (!memory.isNative()) {
            throw new IllegalArgumentException("over: the segment lies on the Java heap; kernels meet native segments only");
        }
        if (memory.byteSize() < spec.bytes()) {
            throw new ShapeException("over: " + spec + " needs " + spec.bytes() + " bytes, the segment has " + memory.byteSize());
        }
        return new Tensor(spec, null, 0, Storage.borrowed(memory), Device.cpu());
    }

    /**
     * Room for numbers that belongs to no scope and holds anything at first: parameters and states,
     * which are {@linkplain Dispatch#overwrite overwritten} between steps, live in such.
     */
    public static Tensor lasting(Spec spec) {
        return lasting(spec, Device.cpu());
    }

    /** The same on a device. */
    public static Tensor lasting(Spec spec, Device device) {
        return new Tensor(spec, null, 0, Storage.take(spec, Dispatch.pool(device), null), device);
    }

    /** A spec without numbers, on {@link Device#none()}: ops on it apply their shape rules only. */
    public static Tensor of(Spec spec) {
        return new Tensor(spec, null, 0, null, Device.none());
    }

    /** The same number everywhere. */
    public static Tensor full(DType dtype, Shape shape, double value) {
        return new Fill(new Spec(dtype, shape), value, 0).apply();
    }

    /** Zeros. */
    public static Tensor zeros(DType dtype, Shape shape) {
        return full(dtype, shape, 0);
    }

    /** Ones. */
    public static Tensor ones(DType dtype, Shape shape) {
        return full(dtype, shape, 1);
    }

    /** {@code 0, 1, …, n - 1}. */
    public static Tensor arange(DType dtype, long n) {
        return new Fill(new Spec(dtype, Shape.of(n)), 0, 1).apply();
    }

    private static Tensor fresh(Spec spec, long given) {
        if (given != spec.shape().elements()) {
            throw new ShapeException("of: " + spec + " has " + spec.shape().elements() + " elements, " + given + " are given");
        }
        return fresh(spec, Device.cpu());
    }

    static Tensor fresh(Spec spec, Device device) {
        return new Tensor(spec, null, 0, Storage.take(spec, Dispatch.pool(device), Scope.current()), device);
    }

    // ---- what it is ----

    /** DType and shape. */
    public Spec spec() {
        return spec;
    }

    /** Type of the elements. */
    public DType dtype() {
        return spec.dtype();
    }

    /** Sizes of the axes. */
    public Shape shape() {
        return spec.shape();
    }

    /** Size of an axis; negative axes count from the end. */
    public long dim(int axis) {
        return spec.shape().dim(axis);
    }

    /** The axis counted from the front, for an op; where there is no such axis, the op's name says so. */
    public int axis(String op, int axis) {
        if (axis < -shape().rank() || axis >= shape().rank()) {
            throw new ShapeException(op + ": there is no axis " + axis + " among " + shape().rank() + "\n  x: " + describe());
        }
        return shape().axis(axis);
    }

    /** Where the numbers lie. */
    public Device device() {
        return device;
    }

    /** Distances in elements between neighbours along each axis. */
    public long[] strides() {
        return strides == null ? shape().contiguousStrides() : strides.clone();
    }

    /** Index of the first element in the storage. */
    public long offset() {
        return offset;
    }

    /** Whether elements lie row by row without gaps. */
    public boolean isContiguous() {
        return strides == null;
    }

    /** Whether ops on this tensor are recorded, so that gradients can reach it. */
    public boolean tracked() {
        return leaf || node != null;
    }

    /** What made this tensor; null for plain data and leaves. */
    public Node node() {
        return node;
    }

    /** Whether this stands for a gradient that is not there. */
    public boolean isNone() {
        return this == NONE;
    }

    Storage storage() {
        return storage;
    }

    void madeBy(Node node) {
        this.node = node;
    }

    /** Memory from the first element on, not checked. */
    MemorySegment first() {
        return storage.from(offset * dtype().bytes());
    }

    /**
     * Memory of the elements, row by row; a copy is made when they do not lie so.
     *
     * @throws ScopeException when the scope that owned the tensor is closed
     * @throws DeviceException when they do not lie on the CPU
     */
    public MemorySegment segment() {
        Tensor dense = contiguous();
        Dispatch.checkReadable("segment", dense);
        if (device.kind() == Device.Kind.CUDA) {
            throw new DeviceException("segment: the numbers lie on " + device + ", to(Device.cpu()) brings them here\n  x: " + describe());
        }
        return dense.first().asSlice(0, spec.bytes());
    }

    // ---- reading numbers out ----

    /** The only element. */
    public double item() {
        if (shape().elements() != 1) {
            throw new ShapeException("item: one element is wanted, the tensor has " + shape().elements() + "\n  x: " + describe());
        }
        Dispatch.checkReadable("item", this);
        return Args.get(dtype(), here().first(), 0);
    }

    /** The element at an index, one number an axis. */
    public double get(long... index) {
        Dispatch.checkReadable("get", this);
        long at = position(index);
        return device.kind() == Device.Kind.CUDA
                ? new Tensor(spec.with(Shape.of()), null, offset + at, storage, device).item()
                : Args.get(dtype(), first(), at);
    }

    /** These numbers where the host can read them. */
    private Tensor here() {
        return device.kind() == Device.Kind.CUDA ? detach().to(Device.cpu()) : this;
    }

    private long position(long... index) {
        if (index.length != shape().rank()) {
            throw new ShapeException("get: " + index.length + " numbers index " + shape().rank() + " axes\n  x: " + describe());
        }
        long[] steps = strides();
        long at = 0;
        for (int axis = 0; axis < index.length; axis++) {
            if (index[axis] < 0 || index[axis] >= dim(axis)) {
                throw new ShapeException("get: index " + index[axis] + " on axis " + axis + " of size " + dim(axis) + "\n  x: " + describe());
            }
            at += index[axis] * steps[axis];
        }
        return at;
    }

    /** All elements row by row, widened. */
    public double[] toDoubles() {
        MemorySegment s = here().segment();
        double[] values = new double[Math.toIntExact(shape().elements())];
        for (int i = 0; i < values.length; i++) {
            values[i] = Args.get(dtype(), s, i);
        }
        return values;
    }

    /** All elements row by row, as floats. */
    public float[] toFloats() {
        return to(DType.F32).here().segment().toArray(ValueLayout.JAVA_FLOAT);
    }

    /** All elements row by row, as whole numbers. */
    public long[] toLongs() {
        return to(DType.I64).here().segment().toArray(ValueLayout.JAVA_LONG);
    }

    // ---- graph, device, dtype ----

    /** The same numbers as a leaf that gradients reach. */
    public Tensor track() {
        if (!dtype().isFloat()) {
            throw new DTypeException("track: gradients need real numbers, not " + dtype() + "\n  x: " + describe());
        }
        Tensor t = copyOfHandle();
        t.leaf = true;
        return t;
    }

    /** The same numbers without what made them. */
    public Tensor detach() {
        return tracked() ? copyOfHandle() : this;
    }

    /** Another tensor object for the same numbers, neither leaf nor made by anything. */
    Tensor copyOfHandle() {
        return new Tensor(spec, strides, offset, storage, device);
    }

    /** What a tensor and its views have in common, by identity; says whether two tensors share memory. */
    public Object memory() {
        return storage;
    }

    /**
     * The same numbers on a device, copied when they lie on another one. Gradients flow back the same way.
     *
     * @throws DeviceException when there is no such device
     */
    public Tensor to(Device target) {
        if (target.equals(device)) {
            return this;
        }
        if (target.kind() == Device.Kind.NONE) {
            return of(spec);
        }
        if (target.kind() == Device.Kind.CUDA && Gpu.missing(target.index()).isPresent()) {
            throw new DeviceException("to: no way from " + device + " to " + target + ", " + Gpu.missing(target.index()).get()
                    + "\n  x: " + describe());
        }
        Tensor copy = Dispatch.transfer(contiguous(), target);
        return tracked() ? Node.record(new Functions.Transfer(target), List.of(this), List.of(copy)).getFirst() : copy;
    }

    /** The same numbers rounded to, or widened to, a dtype. */
    public Tensor to(DType target) {
        return target == dtype() ? this : new Functions.Cast(target).apply(this);
    }

    /** The same numbers row by row without gaps; itself when they lie so already. */
    public Tensor contiguous() {
        return isContiguous() ? this : new Functions.Copy().apply(this);
    }

    // ---- arithmetic ----

    public Tensor add(Tensor b) { return new Arithmetic.Add().apply(this, b); }
    public Tensor sub(Tensor b) { return new Arithmetic.Sub().apply(this, b); }
    public Tensor mul(Tensor b) { return new Arithmetic.Mul().apply(this, b); }
    public Tensor div(Tensor b) { return new Arithmetic.Div().apply(this, b); }
    public Tensor max(Tensor b) { return new Arithmetic.Maximum().apply(this, b); }
    public Tensor min(Tensor b) { return new Arithmetic.Minimum().apply(this, b); }
    public Tensor pow(Tensor b) { return new Arithmetic.Power().apply(this, b); }
    public Tensor add(double c) { return new Arithmetic.AddNumber(c).apply(this); }
    public Tensor sub(double c) { return new Arithmetic.AddNumber(-c).apply(this); }
    public Tensor mul(double c) { return new Arithmetic.MulNumber(c).apply(this); }
    public Tensor div(double c) { return new Arithmetic.DivNumber(c).apply(this); }
    public Tensor max(double c) { return new Arithmetic.MaxNumber(c).apply(this); }
    public Tensor min(double c) { return new Arithmetic.MinNumber(c).apply(this); }
    public Tensor pow(double c) { return new Arithmetic.PowNumber(c).apply(this); }
    public Tensor clamp(double low, double high) { return max(low).min(high); }
    public Tensor neg() { return new Arithmetic.Neg().apply(this); }
    public Tensor abs() { return new Arithmetic.Abs().apply(this); }
    public Tensor sign() { return new Arithmetic.Sign().apply(this); }
    public Tensor square() { return new Arithmetic.Square().apply(this); }

    // ---- elementary functions ----

    public Tensor sqrt() { return new Functions.Sqrt().apply(this); }
    public Tensor rsqrt() { return new Functions.Rsqrt().apply(this); }
    public Tensor exp() { return new Functions.Exp().apply(this); }
    public Tensor expm1() { return new Functions.Expm1().apply(this); }
    public Tensor log() { return new Functions.Log().apply(this); }
    public Tensor log1p() { return new Functions.Log1p().apply(this); }
    public Tensor sin() { return new Functions.Sin().apply(this); }
    public Tensor cos() { return new Functions.Cos().apply(this); }
    public Tensor tanh() { return new Functions.Tanh().apply(this); }
    public Tensor sigmoid() { return new Functions.Sigmoid().apply(this); }
    public Tensor erf() { return new Functions.Erf().apply(this); }

    // ---- comparison and choice; results are BOOL ----

    public Tensor lt(Tensor b) { return new Compare(Compare.Relation.LT).apply(this, b); }
    public Tensor le(Tensor b) { return new Compare(Compare.Relation.LE).apply(this, b); }
    public Tensor gt(Tensor b) { return new Compare(Compare.Relation.GT).apply(this, b); }
    public Tensor ge(Tensor b) { return new Compare(Compare.Relation.GE).apply(this, b); }
    public Tensor eq(Tensor b) { return new Compare(Compare.Relation.EQ).apply(this, b); }
    public Tensor ne(Tensor b) { return new Compare(Compare.Relation.NE).apply(this, b); }
    public Tensor lt(double c) { return new Compare.WithNumber(Compare.Relation.LT, c).apply(this); }
    public Tensor le(double c) { return new Compare.WithNumber(Compare.Relation.LE, c).apply(this); }
    public Tensor gt(double c) { return new Compare.WithNumber(Compare.Relation.GT, c).apply(this); }
    public Tensor ge(double c) { return new Compare.WithNumber(Compare.Relation.GE, c).apply(this); }
    public Tensor eq(double c) { return new Compare.WithNumber(Compare.Relation.EQ, c).apply(this); }
    public Tensor ne(double c) { return new Compare.WithNumber(Compare.Relation.NE, c).apply(this); }
    public Tensor and(Tensor b) { return new Compare.And().apply(this, b); }
    public Tensor or(Tensor b) { return new Compare.Or().apply(this, b); }
    public Tensor not() { return new Compare.Not().apply(this); }

    /** {@code yes} where this BOOL tensor is true, else {@code no}. */
    public Tensor select(Tensor yes, Tensor no) { return new Compare.Select().apply(this, yes, no); }

    // ---- views ----

    public Tensor reshape(long... dims) { return Views.reshape(this, dims); }
    public Tensor reshape(Shape shape) { return Views.reshape(this, shape.dims()); }
    public Tensor permute(int... axes) { return new Views.Permute(axes).apply(this); }
    public Tensor swap(int a, int b) { return Views.swap(this, a, b); }
    public Tensor transpose() { return Views.swap(this, -2, -1); }
    public Tensor expand(Shape shape) { return Views.expand(this, shape); }
    public Tensor insertAxis(int axis) { return Views.insertAxis(this, axis); }
    public Tensor dropAxis(int axis) { return Views.dropAxis(this, axis); }
    public Tensor slice(int axis, long from, long to) { return slice(axis, from, to, 1); }
    public Tensor slice(int axis, long from, long to, long step) {
        return new Views.Slice(axis("slice", axis), from, to, step).apply(this);
    }

    // ---- moving numbers ----

    /** Tensors one behind the other along an axis. */
    public static Tensor concat(int axis, List<Tensor> parts) { return Concat.concat(axis, parts); }

    /** The order along an axis turned round. */
    public Tensor flip(int axis) { return new Indexing.Flip(axis("flip", axis)).apply(this); }

    /** {@code y[…, i, …] = x[…, index[…, i, …], …]}: the index has x's sizes except along the axis. */
    public Tensor gather(int axis, Tensor index) { return new Indexing.Gather(axis("gather", axis)).apply(this, index); }

    /** Zeros of {@code size} along the axis, to which {@code y[…, index[…, i, …], …] += x[…, i, …]} is done in order. */
    public Tensor scatterAdd(int axis, Tensor index, long size) {
        return new Indexing.ScatterAdd(axis("scatterAdd", axis), size).apply(this, index);
    }

    /** This tensor on and below a diagonal of its last two axes, zero above. */
    public Tensor lowerTriangle() { return lowerTriangle(0); }

    /** Keeps {@code column <= row + diagonal} of the last two axes, zero elsewhere. */
    public Tensor lowerTriangle(long diagonal) { return new Indexing.LowerTriangle(diagonal).apply(this); }

    // ---- reductions ----

    /** Sum over axes, which stay with size one; over everything, to a single number, when none is given. */
    public Tensor sum(int... axes) { return Reductions.sum(this, axes); }
    public Tensor mean(int... axes) { return Reductions.mean(this, axes); }
    public Tensor max(int axis) { return new Max(axis("max", axis)).apply(this); }
    public Tensor min(int axis) { return new Max(axis("min", axis)).apply(neg()).neg(); }
    public Tensor argmax(int axis) { return new Reductions.ArgMax(axis("argmax", axis)).apply(this); }

    /** Summed over the axes along which {@code shape} was repeated to get this one: the adjoint of broadcasting. */
    public Tensor sumTo(Shape shape) { return Reductions.sumTo(this, shape); }

    /** {@code y[t] = x[0] + … + x[t]} along an axis. */
    public Tensor cumsum(int axis) { return new Cumulative(axis("cumsum", axis), false).apply(this); }

    // ---- products ----

    /** Product of the matrices in the last two axes, {@code [M, K] x [K, N]}; leading axes broadcast. */
    public Tensor matmul(Tensor b) { return new MatMul().apply(this, b); }

    /** DType, shape and device, as errors print them. */
    public String describe() {
        return spec + " " + device;
    }

    /** The description, and the numbers of a small tensor. */
    @Override
    public String toString() {
        if (device.kind() == Device.Kind.NONE || storage.closedScope() != null || shape().elements() > 100) {
            return describe();
        }
        List<String> numbers = new ArrayList<>();
        for (double value : toDoubles()) {
            numbers.add(dtype().isFloat() ? String.format("%.6g", value) : Long.toString((long) value));
        }
        return describe() + " " + numbers;
    }
}
