package dev.gatun.engine.cuda;

import dev.gatun.bindings.cuda.CudaContext;
import dev.gatun.bindings.cuda.CudaStream;
import dev.gatun.engine.Args;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * What kernels found wrong with whole numbers they were given. A kernel cannot throw, and ending the context would lose
 * everything on it: it notes the first index out of range and goes on, and the host throws when it next waits.
 */
final class Faults {

    /** Code of the message, 0 for none; the index; the size it had to be below. */
    private static final long BYTES = 24;

    private final CudaStream stream;
    private final long address;
    private final MemorySegment host;
    private final List<String> messages = new ArrayList<>();

    Faults(CudaContext context, CudaStream stream) {
        this.stream = stream;
        this.address = context.allocate(BYTES);
        this.host = context.allocatePinned(BYTES);
        stream.fill(address, (byte) 0, BYTES);
    }

    long address() {
        return address;
    }

    /** The code of a message; what a kernel reports is put between its two halves. */
    synchronized int code(Args a, String what) {
        StringBuilder text = new StringBuilder(a.op().name()).append(": ").append(what).append(" %d on an axis of size %d");
        for (int i = 0; i < a.inputs(); i++) {
            text.append("\n  ").append(a.op().argument(i, a.inputs())).append(": ").append(a.spec(i));
        }
        int known = messages.indexOf(text.toString());
        if (known < 0) {
            known = messages.size();
            messages.add(text.toString());
        }
        return known + 1;
    }

    /** Waits for the stream, and throws what a kernel noted since the last time. */
    synchronized void check() {
        stream.copyOut(host, address, BYTES);
        stream.synchronize();
        int code = (int) host.get(ValueLayout.JAVA_LONG, 0);
        if (code != 0) {
            stream.fill(address, (byte) 0, BYTES);
            throw new IndexOutOfBoundsException(messages.get(code - 1)
                    .formatted(host.get(ValueLayout.JAVA_LONG, 8), host.get(ValueLayout.JAVA_LONG, 16)));
        }
    }
}
