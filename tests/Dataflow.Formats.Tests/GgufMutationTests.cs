using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Formats.Tests;

/// <summary>Damaged files, made from whole ones with a seed: a sample always, 500 with DATAFLOW_SOAK=1.</summary>
[Trait("Soak", "true")]
public class GgufMutationTests
{
    private const long MostAllocated = 1 << 20;

    private static readonly int s_files = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1" ? 500 : 60;

    [Fact]
    public void A_damaged_file_is_read_right_or_ends_in_one_sentence()
    {
        const int seed = 1905;
        var random = new Random(seed);
        byte[][] whole =
        [
            .. new[] { "tiny.gguf", "split-00001-of-00002.gguf" }.Select(n => File.ReadAllBytes(Repository.Golden("files", n))),
        ];
        using var folder = new TemporaryFolder();
        int refused = 0;
        for (int i = 0; i < s_files; i++)
        {
            byte[] damaged = Mutated(whole[i % 5 == 4 ? 1 : 0], random, i, 5000);
            string path = folder.Put("damaged.gguf", damaged);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                ReadAll(path);
            }
            catch (UserErrorException e)
            {
                refused++;
                Assert.DoesNotContain('\n', e.Message);
                Assert.Contains("damaged.gguf", e.Message, StringComparison.Ordinal);
                Assert.InRange(e.Message.Length, 20, 700);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"file {i} of seed {seed}: {e.Message}", e);
            }

            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated < MostAllocated + (16 * damaged.Length), $"file {i} of seed {seed}: {allocated} bytes were taken");
        }

        Assert.InRange(refused, s_files / 2, s_files); // what changes a name or a number is another right file
    }

    [Fact]
    public void A_damaged_model_is_imported_or_ends_in_one_sentence()
    {
        const int seed = 1906;
        var random = new Random(seed);
        using var folder = new TemporaryFolder();
        string[] tokenizers = ["gpt2", "gemma"];
        byte[][] whole = [.. tokenizers.Select(t => Whole(t, folder))];
        int refused = 0;
        for (int i = 0; i < s_files; i++)
        {
            // Half of the faults are among the keys of the model, before its tokens.
            string path = folder.Put("damaged.gguf", Mutated(whole[i % 2], random, i / 2, i % 4 < 2 ? 1200 : 60_000));
            try
            {
                GgufImport.Write(path, folder["back"], new() { Overwrite = true });
            }
            catch (UserErrorException e)
            {
                refused++;
                Assert.DoesNotContain('\n', e.Message);
                Assert.Contains("damaged.gguf", e.Message, StringComparison.Ordinal);
                Assert.InRange(e.Message.Length, 20, 1500);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"file {i} of seed {seed}: {e.Message}", e);
            }
        }

        Assert.InRange(refused, s_files / 2, s_files);
    }

    private static byte[] Whole(string tokenizer, TemporaryFolder folder)
    {
        string source = GoldenTokenizers.Folder(tokenizer, folder);
        var weights = WeightInitialiser.Weights(ModelFiles.LoadConfig(source), 1);
        GgufExport.Write(folder["whole.gguf"], weights, source, GgufType.Q4_0);
        return File.ReadAllBytes(folder["whole.gguf"]);
    }

    private static void ReadAll(string path)
    {
        using var file = GgufFile.Open(path);
        var some = new float[4096];
        foreach (var tensor in file.Tensors)
        {
            for (long first = 0; first < tensor.Count; first += some.Length)
            {
                tensor.Read(first, some.AsSpan(0, (int)Math.Min(some.Length, tensor.Count - first)));
            }
        }
    }

    // Most faults are in the head, where everything is told from lengths.
    private static byte[] Mutated(byte[] whole, Random random, int kind, int head)
    {
        int at = random.Next(head);
        byte[] copy = [.. whole];
        switch (kind % 6)
        {
            case 0:
                copy[at] ^= (byte)(1 << random.Next(8));
                return copy;
            case 1:
                return copy[..random.Next(copy.Length)];
            case 2:
                random.NextBytes(copy.AsSpan(at, 8));
                return copy;
            case 3:
                ulong[] huge = [ulong.MaxValue, long.MaxValue, 1UL << 40, 1UL << 32, 1UL << 20, 0, 1];
                int count = random.Next(2) == 0 ? 8 + (8 * random.Next(2)) : at;
                BitConverter.TryWriteBytes(copy.AsSpan(count), huge[random.Next(huge.Length)]);
                return copy;
            case 4:
                return [.. copy.AsSpan(0, at), .. new byte[random.Next(1, 64)], .. copy.AsSpan(at)];
            default:
                return [.. copy.AsSpan(0, at), .. copy.AsSpan(at + random.Next(1, 64))];
        }
    }
}
