package dev.gatun.engine;

import dev.gatun.engine.memory.HostPool;
import dev.gatun.engine.memory.Block;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Cleaner;

/**
 * What a kernel works on: the op with its attributes, specs, and memory of inputs and outputs. A
 * segment starts at the tensor's first element. Inputs lie without gaps unless the kernel is
 * {@link Kernel#strided()}; outputs always do.
 */
public final class Args {

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED;

    private static final Cleaner CLEANER = Cleaner.create();
    private static final ThreadLocal<Scratch> SCRATCH = ThreadLocal.withInitial(Scratch::new);

    private final Op op;
    private final Tensor[] inputs;
    private final Spec[] outputSpecs;
    private final MemorySegment[] in;
    private final MemorySegment[] out;
    private MemorySegment workspace = MemorySegment.NULL;

    /** A thread's scratch memory; grows, and goes back to the pool with the thread. */
    private static final class Scratch {
        private Block block;
        private Cleaner.Cleanable returning;

        MemorySegment atLeast(long bytes) {
            if (block == null || block.segment().byteSize() < bytes) {
                if (returning != null) {
                    returning.clean();
                    block = null;
                    returning = null;
                }
                Block taken = HostPool.shared().take(bytes);
                block = taken;
                returning = CLEANER.register(this, () -> HostPool.shared().give(taken));
            }
            return block.segment();
        }
    }

    Args(Op op, Tensor[] inputs, Tensor[] outputs) {
        this.op = op;
        this.inputs = inputs;
        this.in = new MemorySegment[inputs.length];
        for (int i = 0; i < inputs.length; i++) {
            in[i] = inputs[i].first();
        }
        this.outputSpecs = new Spec[outputs.length];
        this.out = new MemorySegment[outputs.length];
        for (int i = 0; i < outputs.length; i++) {
            outputSpecs[i] = outputs[i].spec();
            out[i] = outputs[i].first();
        }
    }

    /** The same work on other memory, as warm-up wants it. */
    Args(Args like, MemorySegment[] in, MemorySegment[] out) {
        this.op = like.op;
        this.inputs = like.inputs;
        this.outputSpecs = like.outputSpecs;
        this.in = in;
        this.out = out;
    }

    /** The op whose attributes the kernel needs. */
    public <T extends Op> T op(Class<T> type) {
        return type.cast(op);
    }

    /** The op. */
    public Op op() {
        return op;
    }

    /** Number of inputs. */
    public int inputs() {
        return in.length;
    }

    /** Number of outputs. */
    public int outputs() {
        return out.length;
    }

    /** Memory of an input, from its first element on. */
    public MemorySegment in(int i) {
        return in[i];
    }

    /** Memory of an output. */
    public MemorySegment out(int i) {
        return out[i];
    }

    /** Memory of the only output. */
    public MemorySegment out() {
        return out[0];
    }

    /** Spec of an input. */
    public Spec spec(int i) {
        return inputs[i].spec();
    }

    /** Shape of an input. */
    public Shape shape(int i) {
        return inputs[i].shape();
    }

    /** DType of an input. */
    public DType dtype(int i) {
        return inputs[i].dtype();
    }

    /** Strides of an input in elements. */
    public long[] strides(int i) {
        return inputs[i].strides();
    }

    /** Spec of an output. */
    public Spec outSpec(int i) {
        return outputSpecs[i];
    }

    /** Elements of the first output. */
    public long elements() {
        return outputSpecs[0].shape().elements();
    }

    /** Rows of the first input: its elements without those of the last axis. */
    public long rows() {
        Shape shape = shape(0);
        return shape.last() == 0 ? 0 : shape.elements() / shape.last();
    }

    /** Whether every input and output of real numbers is F32. */
    public boolean isF32() {
        return computesIn(DType.F32);
    }

    /** Whether every input and output of real numbers has this dtype. */
    public boolean computesIn(DType dtype) {
        for (Tensor input : inputs) {
            if (input.dtype() != dtype && input.dtype().isFloat()) {
                return false;
            }
        }
        for (Spec output : outputSpecs) {
            if (output.dtype() != dtype && output.dtype().isFloat()) {
                return false;
            }
        }
        return true;
    }

    /** Whether an input lies without gaps. */
    public boolean contiguous(int i) {
        return inputs[i].isContiguous();
    }

    /** At least {@code bytes} of memory of the calling thread, arbitrary content, valid until the kernel returns. */
    public MemorySegment scratch(long bytes) {
        return SCRATCH.get().atLeast(bytes);
    }

    /** Memory shared by all phases and threads of this call; see {@link Kernel#workspace}. */
    public MemorySegment workspace() {
        return workspace;
    }

    void workspace(MemorySegment segment) {
        workspace = segment;
    }

    /** Element of a contiguous input, widened: how reference kernels read. */
    public double get(int i, long index) {
        return get(inputs[i].dtype(), in[i], index);
    }

    /** Whole number of a contiguous input. */
    public long getLong(int i, long index) {
        return getLong(inputs[i].dtype(), in[i], index);
    }

    /** Writes an element of the i-th output, rounded to its dtype. */
    public void set(int i, long index, double value) {
        set(outputSpecs[i].dtype(), out[i], index, value);
    }

    /** Writes a whole number to the i-th output. */
    public void setLong(int i, long index, long value) {
        setLong(outputSpecs[i].dtype(), out[i], index, value);
    }

    /** Element of memory as a double. */
    static double get(DType dtype, MemorySegment s, long index) {
        return switch (dtype) {
            case F32 -> s.get(FLOAT, index * 4);
            case F64 -> s.get(DOUBLE, index * 8);
            case BF16 -> Float.intBitsToFloat(s.get(SHORT, index * 2) << 16);
            case F16 -> Float.float16ToFloat(s.get(SHORT, index * 2));
            case I32 -> s.get(INT, index * 4);
            case I64 -> s.get(LONG, index * 8);
            case BOOL -> s.get(ValueLayout.JAVA_BYTE, index);
        };
    }

    static long getLong(DType dtype, MemorySegment s, long index) {
        return switch (dtype) {
            case I32 -> s.get(INT, index * 4);
            case I64 -> s.get(LONG, index * 8);
            default -> (long) get(dtype, s, index);
        };
    }

    static void set(DType dtype, MemorySegment s, long index, double value) {
        switch (dtype) {
            case F32 -> s.set(FLOAT, index * 4, (float) value);
            case F64 -> s.set(DOUBLE, index * 8, value);
            case BF16 -> s.set(SHORT, index * 2, bf16((float) value));
            case F16 -> s.set(SHORT, index * 2, Float.floatToFloat16((float) value));
            case I32 -> s.set(INT, index * 4, (int) value);
            case I64 -> s.set(LONG, index * 8, (long) value);
            case BOOL -> s.set(ValueLayout.JAVA_BYTE, index, (byte) (value != 0 ? 1 : 0));
        }
    }

    static void setLong(DType dtype, MemorySegment s, long index, long value) {
        switch (dtype) {
            case I32 -> s.set(INT, index * 4, (int) value);
            case I64 -> s.set(LONG, index * 8, value);
            default -> set(dtype, s, index, value);
        }
    }

    /** The upper half of a float, rounded to nearest even; NaN stays NaN. */
    private static short bf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (value != value) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
    }
}
