package dev.gatun.cli;

import dev.gatun.bindings.cuda.CudaDriver;
import dev.gatun.bindings.onednn.OneDnn;
import dev.gatun.engine.Backend;
import dev.gatun.engine.Parallel;
import dev.gatun.engine.cuda.Gpu;
import dev.gatun.engine.lanes.FirstCompiler;
import dev.gatun.engine.lanes.Lanes;
import dev.gatun.engine.lanes.VectorApi;
import dev.gatun.engine.onednn.Winners;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;

/** Says what the engine found on this machine. */
@Command(name = "doctor", mixinStandardHelpOptions = true, description = "Says what the engine found on this machine.")
final class DoctorCommand implements Runnable {

    @Override
    public void run() {
        facts().forEach((name, value) -> System.out.printf("%-12s%s%n", name, value));
    }

    /** The machine's facts and the engine's. */
    static Map<String, String> facts() {
        Map<String, String> facts = new LinkedHashMap<>(Machine.facts());
        facts.put("threads", Integer.toString(Parallel.threads()));
        facts.put("vectors", VectorApi.present() ? Lanes.F32.vectorBitSize() + " bits" : VectorApi.missing());
        String compiler = VectorApi.present() ? FirstCompiler.keepOff() : VectorApi.missing();
        facts.put("kernels", compiler.isEmpty() ? "the first compiler is kept off them" : "not kept from the first compiler: " + compiler);
        facts.put("backends", Arrays.stream(Backend.values())
                .filter(backend -> backend.on() && (backend != Backend.CUDA || Gpu.missing(0).isEmpty()))
                .map(Backend::toString)
                .collect(Collectors.joining(", ")));
        facts.put("onednn", OneDnn.describe());
        facts.put("winners", Winners.any() ? String.join(", ", new TreeSet<>(Winners.won()))
                : "nothing in the table of winners; -Dgatun.onednn.use and -Dgatun.backends say otherwise");
        facts.put("cuda", cuda());
        return facts;
    }

    /** Driver and GPUs, or why there are none. */
    private static String cuda() {
        return switch (CudaDriver.probe()) {
            case CudaDriver.Absent absent -> absent.reason();
            case CudaDriver.Present present -> "driver for CUDA " + CudaDriver.text(present.version()) + "; "
                    + present.devices().stream().map(DoctorCommand::describe).collect(Collectors.joining("; "));
        };
    }

    private static String describe(CudaDriver.Info gpu) {
        return String.format(Locale.ROOT, "cuda:%d %s, compute capability %d.%d, %.1f GiB, %s", gpu.ordinal(), gpu.name(),
                gpu.major(), gpu.minor(), gpu.bytes() / 0x1p30,
                Gpu.missing(gpu.ordinal()).orElse("kernels of tier sm_" + Gpu.tier(gpu)));
    }
}
