package dev.gatun.cli;

import dev.gatun.engine.Device;
import dev.gatun.engine.cuda.Gpu;
import dev.gatun.layers.io.AtomicFile;
import dev.gatun.verify.GpuSelfTest;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Tests and measures a GPU of this machine. */
@Command(
        name = "gpu-selftest",
        mixinStandardHelpOptions = true,
        description = "Runs the engine on a GPU of this machine, compares with the CPU and measures; the exit code is 1 when something differs.")
final class GpuSelftestCommand implements Callable<Integer> {

    @Option(names = "--device", paramLabel = "N", defaultValue = "0", description = "Number of the GPU (default: 0).")
    private int index;

    @Option(names = "--out", paramLabel = "FILE", description = "Where the report is kept besides being printed.")
    private Path file;

    @Override
    public Integer call() throws IOException {
        Optional<String> missing = Gpu.missing(index);
        if (missing.isPresent()) {
            throw new UserError("cuda:" + index + ": " + missing.get());
        }
        List<String> report = new ArrayList<>();
        int failures = GpuSelfTest.run(Device.cuda(index), line -> {
            System.out.println(line);
            report.add(line);
        });
        if (file != null) {
            ByteBuffer text = ByteBuffer.wrap((String.join("\n", report) + "\n").getBytes(StandardCharsets.UTF_8));
            AtomicFile.write(file, channel -> {
                while (text.hasRemaining()) {
                    channel.write(text);
                }
            });
        }
        return failures == 0 ? 0 : 1;
    }
}
