using System.Diagnostics;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Benchmarks;

/// <summary>Checkpoints, exports and imports beside a plain copy of the same bytes, in turns.</summary>
internal static class FileSpeeds
{
    private const int Turns = 5;
    private const int BlockElements = 1 << 22;
    private const double Limit = 1.2;
    private const string Name = "smollm2-360m";

    private readonly record struct Taken(double Seconds, double ProcessorSeconds);

    /// <summary>The table.</summary>
    public static Result Measure()
    {
        using var source = ModelSource.Open(Name);
        string folder = Directory.CreateTempSubdirectory("dataflow-files-").FullName;
        try
        {
            return new Result(
                "Checkpoints, exports and imports beside plain copies",
                $"{Name} in bf16 with AdamW's moments, random numbers, into a folder of temporary files. Checkpoint: the files of a save, "
                    + "with the checksum of each, durable. Export: a model's folder made of another, durable. Import: every number of a "
                    + $"folder read as fp32. Beside each, in turns, as many bytes copied (File.Copy and a flush to the disk) or read. "
                    + $"Medians of {Turns} turns; ratios are ours over the copy's. Processor time is of all threads, in user and system.",
                ["case", "bytes", "ours", "copy", "ratio", "limit", "within", "ours, processor", "copy, processor"],
                [.. Rows(source.Model, folder)]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static IEnumerable<(string[], JsonObject)> Rows(ModelConfig model, string folder)
    {
        var weights = new HeldNumbers(model);
        var state = new TrainingState(Recipe.Bf16, Optimizer.AdamW, weights, [weights, weights]);
        string runs = Path.Combine(folder, "run"), copy = Path.Combine(folder, "copy"), exported = Path.Combine(folder, "exported");
        using var store = CheckpointStore.Open(runs, keep: 1, _ => { });
        int step = 0;
        string saved = "";
        yield return Row(
            "checkpoint",
            () =>
            {
                var progress = new TrainingProgress(++step, 1, Recipe.Bf16.Name, new Geometry(64, 1, 64, 1, 1, 64));
                saved = store.Save(state, progress).Folder;
            },
            () => Copy(saved, copy),
            () => Directory.GetFiles(saved).Sum(f => new FileInfo(f).Length));
        string read = Path.Combine(folder, "source");
        ModelExport.Write(read, weights, DType.BFloat16, new ExportOptions());
        long Length() => new FileInfo(Path.Combine(read, Checkpoint.FileName)).Length;
        yield return Row(
            "export",
            () =>
            {
                using var checkpoint = Checkpoint.Open(read);
                ModelExport.Write(exported, checkpoint.WeightsOf(model), DType.BFloat16, new ExportOptions { Source = read });
            },
            () => Copy(read, copy),
            Length);
        yield return Row("import", () => ReadAll(read, model), () => ReadPlain(Path.Combine(read, Checkpoint.FileName)), Length);
    }

    private static (string[], JsonObject) Row(string name, Action ours, Action plain, Func<long> bytes)
    {
        var (our, other) = (new List<Taken>(), new List<Taken>());
        ours(); // its code is compiled, and what follows is in memory
        plain();
        for (int turn = 0; turn < Turns; turn++)
        {
            our.Add(Time(ours));
            other.Add(Time(plain));
        }

        double Median(List<Taken> of, Func<Taken, double> figure) => of.Select(figure).Order().ElementAt(Turns / 2);
        double seconds = Median(our, t => t.Seconds), copySeconds = Median(other, t => t.Seconds), ratio = seconds / copySeconds;
        double processor = Median(our, t => t.ProcessorSeconds), copyProcessor = Median(other, t => t.ProcessorSeconds);
        Console.Error.WriteLine($"{name}: {seconds:0.00} s beside {copySeconds:0.00} s");
        return (
            [
                name, new Bytes(bytes()).ToString(), $"{seconds:0.00} s", $"{copySeconds:0.00} s", $"{ratio:0.00}", $"{Limit:0.0}",
                ratio <= Limit ? "yes" : "no", $"{processor:0.00} s", $"{copyProcessor:0.00} s",
            ],
            new JsonObject
            {
                ["case"] = name,
                ["bytes"] = bytes(),
                ["seconds"] = Math.Round(seconds, 3),
                ["copy_seconds"] = Math.Round(copySeconds, 3),
                ["ratio"] = Math.Round(ratio, 3),
                ["processor_seconds"] = Math.Round(processor, 3),
                ["copy_processor_seconds"] = Math.Round(copyProcessor, 3),
            });
    }

    private static Taken Time(Action action)
    {
        using var process = Process.GetCurrentProcess();
        process.Refresh();
        var before = process.TotalProcessorTime;
        var clock = Stopwatch.StartNew();
        action();
        process.Refresh();
        return new Taken(clock.Elapsed.TotalSeconds, (process.TotalProcessorTime - before).TotalSeconds);
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.GetFiles(from))
        {
            string target = Path.Combine(to, Path.GetFileName(file));
            File.Delete(target);
            File.Copy(file, target);
            using var copied = new FileStream(target, FileMode.Open, FileAccess.Write);
            copied.Flush(flushToDisk: true);
        }

        Directory.Delete(to, recursive: true);
    }

    private static void ReadAll(string folder, ModelConfig model)
    {
        using var checkpoint = Checkpoint.Open(folder);
        var weights = checkpoint.WeightsOf(model);
        byte[] piece = new byte[BlockElements * sizeof(float)];
        foreach (var part in ParameterObject.All(model))
        {
            long count = part.Layout(model).ElementCount;
            for (long done = 0; done < count; done += BlockElements)
            {
                int some = (int)Math.Min(BlockElements, count - done);
                weights.Read(part, done, piece.AsSpan(0, some * sizeof(float)), DType.Float32);
            }
        }
    }

    private static void ReadPlain(string path)
    {
        byte[] piece = new byte[BlockElements * sizeof(float)];
        using var file = File.OpenRead(path);
        while (file.Read(piece) > 0)
        {
        }
    }

    /// <summary>The same random numbers again and again, as fast as memory copies them.</summary>
    private sealed class HeldNumbers : IWeightSource
    {
        private readonly byte[] narrow = new byte[BlockElements * sizeof(ushort)];
        private readonly byte[] wide = new byte[BlockElements * sizeof(float)];

        public HeldNumbers(ModelConfig model)
        {
            Model = model;
            var random = new Random(1);
            for (int i = 0; i < BlockElements; i++)
            {
                // An exponent near that of 1, random sign and fraction: finite in both types.
                ushort bits = (ushort)((random.Next(1 << 16) & 0x80FF) | 0x3E00);
                BitConverter.TryWriteBytes(narrow.AsSpan(i * sizeof(ushort)), bits);
                BitConverter.TryWriteBytes(wide.AsSpan(i * sizeof(float)), (uint)bits << 16);
            }
        }

        public ModelConfig Model { get; }

        public void Read(ParameterObject weights, long firstElement, Span<byte> destination, DType type)
        {
            byte[] block = type == DType.BFloat16 ? narrow : wide;
            for (int from = (int)(firstElement * type.Size() % block.Length); destination.Length > 0; from = 0)
            {
                int some = Math.Min(destination.Length, block.Length - from);
                block.AsSpan(from, some).CopyTo(destination);
                destination = destination[some..];
            }
        }
    }
}
