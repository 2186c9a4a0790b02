using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Text.Json.Nodes;
using Dataflow.Cpu;
using Dataflow.Formats;
using Dataflow.Generation;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;
using LLama;
using LLama.Common;
using LLama.Native;

namespace Dataflow.Benchmarks;

/// <summary>
/// Tokens a second after a prompt, ours and llama.cpp's in turns on the same BF16 file, on two threads; and where our time goes.
/// </summary>
internal static class GenerationComparison
{
    private const string Variable = "DATAFLOW_PRETRAINED";
    private const int Threads = 2;
    private const int Prompt = 32;
    private const int Tokens = 96;
    private const int Turns = 5;

    /// <summary>The table.</summary>
    public static Result Measure()
    {
        string named = Environment.GetEnvironmentVariable(Variable) ?? throw new UserErrorException(
            $"set {Variable} to the folder of a model of a family that GGUF files can be written of: its speed beside llama.cpp's is "
                + "measured");
        var scratch = Directory.CreateTempSubdirectory("dataflow-generation-");
        try
        {
            string file = Path.Combine(scratch.FullName, "model.gguf"), folder = Path.Combine(scratch.FullName, "folder");
            ModelConversion.Export(new ExportRequest { Source = named, Destination = file, Type = GgufType.BF16 });
            ModelConversion.Import(file, folder, new GgufImportOptions());
            return Compare(file, folder);
        }
        finally
        {
            scratch.Delete(recursive: true);
        }
    }

    private static Result Compare(string file, string folder)
    {
        NativeLibraryConfig.All.WithAvx(AvxLevel.Avx2).WithAutoFallback().WithLogCallback((_, _) => { });
        int[] prompt = [.. Enumerable.Range(0, Prompt).Select(i => 100 + (37 * i))];
        var rows = new List<(string[], JsonObject)>();
        using var ours = new Ours(folder);
        using var theirs = new Theirs(file);
        double our = double.PositiveInfinity, their = double.PositiveInfinity;
        for (int turn = 0; turn < Turns; turn++)
        {
            our = Math.Min(our, ours.Seconds(prompt));
            their = Math.Min(their, theirs.Seconds(prompt));
            Console.Error.WriteLine($"{Number(Tokens / our)} ours, {Number(Tokens / their)} llama.cpp");
        }

        rows.Add((
            ["tokens a second", Number(Tokens / our), Number(Tokens / their), Number(their / our)],
            new JsonObject
            {
                ["what"] = "tokens a second", ["ours"] = Math.Round(Tokens / our, 2), ["llama_cpp"] = Math.Round(Tokens / their, 2),
                ["ratio"] = Math.Round(their / our, 3),
            }));
        foreach (var (kernel, share, seconds) in ours.Kernels(prompt))
        {
            rows.Add((
                [$"of ours: {kernel}, ms a token", Number(seconds * 1e3), "", $"{100 * share:0.0}%"],
                new JsonObject { ["what"] = kernel, ["milliseconds"] = Math.Round(seconds * 1e3, 3), ["share"] = Math.Round(share, 4) }));
        }

        var model = ModelFiles.LoadConfig(folder);
        return new Result(
            "Tokens after a prompt beside llama.cpp",
            $"A model of {model.ParameterCount / 1e6:0.0} million parameters from one BF16 GGUF file: {Tokens} tokens after {Prompt}, one "
                + $"at a time, greedy, on {Threads} threads; {Turns} turns of ours and llama.cpp's, the best of each. llama.cpp is that of "
                + $"LLamaSharp {LlamaVersion}, its library for AVX2 (that for AVX-512 was "
                + "slower), keys and values in fp32. Ours stores and computes in bf16 with fp32 sums. Kernels were timed in a step of "
                + "their own.",
            ["", "ours", "llama.cpp", "ratio"],
            rows);
    }

    private static string Number(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);

    private static string? LlamaVersion =>
        typeof(GenerationComparison)
            .Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(one => one.Key == "LlamaVersion")
            .Value;

    private sealed class Ours : IDisposable
    {
        private readonly CpuDevice device;
        private readonly CachedModel model;
        private readonly int vocabulary;

        public Ours(string folder)
        {
            var config = ModelFiles.LoadConfig(folder);
            vocabulary = config.VocabSize;
            var roomy = new MemoryBudget(Bytes.FromGiB(16), Bytes.FromGiB(16));
            var request = new PlanRequest(config, Recipe.Bf16, WorkloadKind.Generation, Prompt, null, new GeometryPins(), roomy)
            {
                Cache = new CacheRequest(1, Prompt + Tokens, 1),
            };
            var plan = Plans.Require(Planner.Plan(request));
            device = new CpuDevice(plan.Schedule, plan.Workload, Threads);
            model = new CachedModel(plan.Workload, plan.Schedule, device);
            using var checkpoint = Checkpoint.Open(folder);
            model.Load(checkpoint.WeightsOf(config));
        }

        /// <summary>Of the tokens after the prompt.</summary>
        public double Seconds(int[] prompt)
        {
            var clock = new Stopwatch();
            Continue(prompt, clock, _ => { });
            return clock.Elapsed.TotalSeconds;
        }

        /// <summary>Of a token halfway, by kernel, most first.</summary>
        public IReadOnlyList<(string Kernel, double Share, double Seconds)> Kernels(int[] prompt)
        {
            IReadOnlyList<KernelTime> times = [];
            Continue(prompt, new Stopwatch(), i =>
            {
                if (i == Tokens / 2)
                {
                    device.MeasureNextStep(StepDetail.Kernels);
                }
                else if (i == (Tokens / 2) + 1)
                {
                    times = [.. device.MeasuredKernels()];
                }
            });
            double all = times.Sum(t => t.Nanoseconds / 1e9);
            return
            [
                .. times.GroupBy(NameOf).Select(g => (Kernel: g.Key, Seconds: g.Sum(t => t.Nanoseconds / 1e9)))
                    .OrderByDescending(g => g.Seconds).Select(g => (g.Kernel, g.Seconds / all, g.Seconds)),
            ];
        }

        public void Dispose() => device.Dispose();

        private static string NameOf(KernelTime time) =>
            time.Call is GemmForwardCall { B.Weight: var weight } ? $"{time.Call.Kernel} {weight}" : $"{time.Call.Kernel}";

        private void Continue(int[] prompt, Stopwatch clock, Action<int> before)
        {
            var sequence = model.Open(Prompt + Tokens)!;
            var sampler = new Sampler(SamplingSettings.Greedy, 0, new SamplingScratch(vocabulary));
            int next = 0;
            model.Continue([new Continuation(sequence, prompt, 1)], (_, _, logits) => next = sampler.Next(logits));
            clock.Start();
            for (int i = 0; i < Tokens; i++)
            {
                before(i);
                model.Continue([new Continuation(sequence, new[] { next }, 1)], (_, _, logits) => next = sampler.Next(logits));
            }

            clock.Stop();
            model.Close(sequence);
        }
    }

    private sealed class Theirs : IDisposable
    {
        private readonly LLamaWeights weights;
        private readonly ModelParams parameters;

        public Theirs(string file)
        {
            parameters = new ModelParams(file)
            {
                ContextSize = Prompt + Tokens + 1,
                GpuLayerCount = 0,
                Threads = Threads,
                BatchThreads = Threads,
                TypeK = GGMLType.GGML_TYPE_F32,
                TypeV = GGMLType.GGML_TYPE_F32,
                FlashAttention = false,
            };
            weights = LLamaWeights.LoadFromFile(parameters);
        }

        public double Seconds(int[] prompt)
        {
            using var context = weights.CreateContext(parameters);
            var batch = new LLamaBatch();
            for (int i = 0; i < prompt.Length; i++)
            {
                batch.Add(prompt[i], i, LLamaSeqId.Zero, i == prompt.Length - 1);
            }

            Decode(context, batch);
            int next = Best(context.NativeHandle.GetLogitsIth(prompt.Length - 1));
            var clock = Stopwatch.StartNew();
            for (int i = 0; i < Tokens; i++)
            {
                batch.Clear();
                batch.Add(next, prompt.Length + i, LLamaSeqId.Zero, true);
                Decode(context, batch);
                next = Best(context.NativeHandle.GetLogitsIth(0));
            }

            return clock.Elapsed.TotalSeconds;
        }

        public void Dispose() => weights.Dispose();

        private static void Decode(LLamaContext context, LLamaBatch batch)
        {
            if (context.Decode(batch) is not DecodeResult.Ok and var result)
            {
                throw new InvalidOperationException($"llama.cpp does not compute: {result}");
            }
        }

        private static int Best(ReadOnlySpan<float> logits) =>
            System.Numerics.Tensors.TensorPrimitives.IndexOfMax(logits);
    }
}
