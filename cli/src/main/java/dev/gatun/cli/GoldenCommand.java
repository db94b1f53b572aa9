package dev.gatun.cli;

import dev.gatun.bindings.onednn.OneDnn;
import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.verify.Golden;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Runs golden vectors through the ops and layers that they name. */
@Command(
        name = "golden",
        mixinStandardHelpOptions = true,
        description = "Runs every golden vector below a folder; the exit code is 1 when one is not met.")
final class GoldenCommand implements Callable<Integer> {

    /** What vectors can be compared in. */
    private enum Precision {
        f64(DType.F64),
        f32(DType.F32);

        private final DType dtype;

        Precision(DType dtype) {
            this.dtype = dtype;
        }
    }

    @Parameters(paramLabel = "DIR", description = "The folder, or one file.")
    private Path folder;

    @Option(names = "--dtype", paramLabel = "f64|f32", defaultValue = "f64", description = "What to compute in (default: f64).")
    private Precision precision;

    @Option(names = "--backend", paramLabel = "NAME", description = "Computes on this one, where it has a kernel (default: the best).")
    private String backend;

    @Override
    public Integer call() throws IOException {
        if (!Files.exists(folder)) {
            throw new UserError(folder + " does not exist");
        }
        Backend[] on = backend == null ? new Backend[0] : new Backend[] {backend()};
        Golden.Report report = Golden.run(folder, precision.dtype, System.out::println, on);
        System.out.println(report);
        return report.failed() == 0 ? 0 : 1;
    }

    private Backend backend() {
        for (Backend known : Backend.values()) {
            if (known != Backend.CUDA && known.toString().equals(backend.toLowerCase(Locale.ROOT))) {
                if (known == Backend.ONEDNN && OneDnn.missing().isPresent()) {
                    throw new UserError("--backend: " + OneDnn.missing().get());
                }
                if (known != Backend.ONEDNN && !known.on()) {
                    throw new UserError("--backend: " + known + " is off on this machine");
                }
                return known;
            }
        }
        throw new UserError("--backend: there is no \"" + backend + "\"; there are vector, scalar, reference, onednn");
    }
}
