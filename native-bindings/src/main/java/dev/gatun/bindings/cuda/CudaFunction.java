package dev.gatun.bindings.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** A kernel that can be queued. */
public final class CudaFunction {

    private static final int MOST_PARAMETER_BYTES = 4096;
    private static final int MOST_STATIC_SHARED = 48 << 10;
    private static final int MAX_DYNAMIC_SHARED = 8;

    /** Parameters and, behind them, where each one is: read by the driver while it queues the kernel, not later. */
    private static final ThreadLocal<MemorySegment> BLOCK =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(3 * MOST_PARAMETER_BYTES, 64));

    private final CudaContext context;
    private final PtxEntry entry;
    private final MemorySegment handle;
    private int sharedAllowed = MOST_STATIC_SHARED;

    CudaFunction(CudaContext context, PtxEntry entry, MemorySegment handle) {
        this.context = context;
        this.entry = entry;
        this.handle = handle;
    }

    MemorySegment handle() {
        return handle;
    }

    /** What the kernel is called and takes. */
    public PtxEntry entry() {
        return entry;
    }

    /**
     * Queues the kernel. Arguments are Long for addresses and 64-bit numbers, Integer, Float, Double, and {@code long[]}
     * or {@code int[]} for arrays that are passed by value.
     *
     * @throws IllegalArgumentException when they are not what the kernel declares
     */
    public void launch(CudaStream stream, CudaGrid grid, Object... arguments) {
        allowShared(grid.sharedBytes());
        context.launch(this, grid, stream, block(entry, arguments));
    }

    private synchronized void allowShared(int bytes) {
        if (bytes <= sharedAllowed) {
            return;
        }
        if (bytes > context.info().sharedBytes()) {
            throw new IllegalArgumentException("cuda: " + entry.name() + " wants " + bytes + " bytes of shared memory, "
                    + context.info().name() + " has " + context.info().sharedBytes());
        }
        context.enter("cuFuncSetAttribute");
        context.check(Cuda.cuFuncSetAttribute(handle, MAX_DYNAMIC_SHARED, bytes), "cuFuncSetAttribute", entry.name(), bytes);
        sharedAllowed = bytes;
    }

    /** Lays arguments out as the kernel's parameters, and returns the pointers to them. */
    static MemorySegment block(PtxEntry entry, Object... arguments) {
        List<PtxEntry.Parameter> parameters = entry.parameters();
        if (arguments.length != parameters.size()) {
            throw new IllegalArgumentException("cuda: " + entry.name() + " takes " + parameters.size() + " parameters, "
                    + arguments.length + " are given");
        }
        MemorySegment block = BLOCK.get();
        MemorySegment pointers = block.asSlice(MOST_PARAMETER_BYTES);
        for (int i = 0; i < arguments.length; i++) {
            PtxEntry.Parameter p = parameters.get(i);
            put(entry, i, p, arguments[i], block);
            pointers.setAtIndex(ValueLayout.JAVA_LONG, i, block.address() + p.offset());
        }
        return pointers;
    }

    private static void put(PtxEntry entry, int i, PtxEntry.Parameter p, Object argument, MemorySegment block) {
        boolean real = p.type().charAt(0) == 'f';
        switch (argument) {
            case Long number when p.bytes() == 8 && !real -> block.set(ValueLayout.JAVA_LONG, p.offset(), number);
            case Integer number when p.bytes() == 4 && !real -> block.set(ValueLayout.JAVA_INT, p.offset(), number);
            case Float number when p.type().equals("f32") -> block.set(ValueLayout.JAVA_FLOAT, p.offset(), number);
            case Double number when p.type().equals("f64") -> block.set(ValueLayout.JAVA_DOUBLE, p.offset(), number);
            case long[] numbers when p.type().equals("b8") && p.bytes() == 8 * numbers.length ->
                    MemorySegment.copy(numbers, 0, block, ValueLayout.JAVA_LONG, p.offset(), numbers.length);
            case int[] numbers when p.type().equals("b8") && p.bytes() == 4 * numbers.length ->
                    MemorySegment.copy(numbers, 0, block, ValueLayout.JAVA_INT, p.offset(), numbers.length);
            default -> throw new IllegalArgumentException("cuda: parameter " + i + " of " + entry.name() + " is "
                    + p.type() + " of " + p.bytes() + " bytes, given is a " + argument.getClass().getSimpleName()
                    + (argument instanceof long[] numbers ? " of " + 8 * numbers.length + " bytes" : ""));
        }
    }
}
