package dev.gatun.bindings.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Kernels that were loaded together. */
public final class CudaModule {

    private final CudaContext context;
    private final String name;
    private final MemorySegment handle;
    private final Map<String, PtxEntry> entries;
    private final Map<String, CudaFunction> functions = new ConcurrentHashMap<>();

    CudaModule(CudaContext context, String name, MemorySegment handle, Map<String, PtxEntry> entries) {
        this.context = context;
        this.name = name;
        this.handle = handle;
        this.entries = entries;
    }

    /** The kernel of that name. */
    public CudaFunction function(String kernel) {
        CudaFunction known = functions.get(kernel);
        return known != null ? known : functions.computeIfAbsent(kernel, this::find);
    }

    private CudaFunction find(String kernel) {
        PtxEntry entry = entries.get(kernel);
        if (entry == null) {
            throw new IllegalArgumentException("cuda: module \"" + name + "\" has no kernel \"" + kernel + "\"; there are " + entries.keySet());
        }
        context.enter("cuModuleGetFunction");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(Cuda.C_POINTER);
            context.check(Cuda.cuModuleGetFunction(out, handle, arena.allocateFrom(kernel)), "cuModuleGetFunction", kernel);
            return new CudaFunction(context, entry, out.get(Cuda.C_POINTER, 0));
        }
    }
}
