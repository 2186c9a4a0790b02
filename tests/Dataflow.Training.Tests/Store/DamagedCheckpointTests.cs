using System.Text;
using System.Text.RegularExpressions;
using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>Whatever happens to a file of a checkpoint is found, and the checkpoint before takes its place.</summary>
public sealed class DamagedCheckpointTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly ITestOutputHelper output;
    private readonly List<string> notices = [];
    private readonly StoredCheckpoint newest;

    public DamagedCheckpointTests(ITestOutputHelper output)
    {
        this.output = output;
        using var store = CheckpointStore.Open(folder.Root, 2, notices.Add, new MortalDisk(folder.Root));
        store.Save(SampleRun.State(1, Recipe.Bf16Master), SampleRun.Progress(1, Recipe.Bf16Master));
        newest = store.Save(SampleRun.State(2, Recipe.Bf16Master), SampleRun.Progress(2, Recipe.Bf16Master), 1.5);
    }

    private static bool IsSoak => Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1";

    public void Dispose() => folder.Dispose();

    [Fact, Trait("Soak", "true")]
    public void Any_flipped_bit_of_any_file_is_found()
    {
        const int seed = 1233;
        var random = new Random(seed);
        string[] files = Directory.GetFiles(newest.Folder);
        int flips = IsSoak ? 10_000 : 200, found = 0;
        for (int i = 0; i < flips; i++)
        {
            // Every file as often as any other: most bits of a checkpoint are tensors.
            string file = files[i % files.Length];
            byte[] content = File.ReadAllBytes(file);
            Flip(file, content, random.Next(content.Length * 8));
            found += IsDamaged() ? 1 : 0;
            File.WriteAllBytes(file, content);
        }

        output.WriteLine($"{found} of {flips} flipped bits found, seed {seed}");
        Assert.Equal(flips, found);
        Assert.False(IsDamaged());
    }

    [Fact, Trait("Soak", "true")]
    public void Any_flipped_bit_of_the_description_is_found()
    {
        string file = Path.Combine(newest.Folder, CheckpointFiles.State);
        byte[] content = File.ReadAllBytes(file);
        for (int bit = 0; bit < content.Length * 8; bit += IsSoak ? 1 : 37)
        {
            Flip(file, content, bit);
            Assert.DoesNotContain("early version", Refusal(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Exchanged_added_missing_and_cut_files_are_found()
    {
        string[] tensors = [.. Directory.GetFiles(newest.Folder, "*.safetensors")];
        Assert.Equal(4, tensors.Length);
        foreach (string a in tensors)
        {
            byte[] mine = File.ReadAllBytes(a);
            foreach (string b in tensors.Where(b => b != a))
            {
                byte[] others = File.ReadAllBytes(b);
                File.WriteAllBytes(a, others);
                File.WriteAllBytes(b, mine);
                Assert.True(IsDamaged());
                File.WriteAllBytes(b, others);
            }

            // Another checkpoint's file of the same name and length, trailing bytes, a cut, no file.
            File.Copy(a.Replace("step-00000002", "step-00000001", StringComparison.Ordinal), a, overwrite: true);
            Assert.True(IsDamaged());
            File.WriteAllBytes(a, [.. mine, 0]);
            Assert.True(IsDamaged());
            File.WriteAllBytes(a, mine[..^1]);
            Assert.True(IsDamaged());
            File.Delete(a);
            Assert.True(IsDamaged());
            Directory.CreateDirectory(a);
            Assert.True(IsDamaged());
            Directory.Delete(a);
            File.WriteAllBytes(a, mine);
        }

        File.WriteAllText(Path.Combine(newest.Folder, "optimizer.bin"), "");
        Assert.True(IsDamaged());
        File.Delete(Path.Combine(newest.Folder, "optimizer.bin"));
        Assert.False(IsDamaged());
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("state.json")]
    [InlineData("model.safetensors")]
    public void The_checkpoint_before_takes_the_place_of_a_damaged_one_and_that_is_said(string name)
    {
        File.WriteAllText(Path.Combine(newest.Folder, name), "{");
        var found = CheckpointSearch.Find(folder.Root, notices.Add);
        Assert.Equal(1, found.Progress.Step);
        string notice = Assert.Single(notices);
        Assert.Contains($"step-00000002/{name}", notice, StringComparison.Ordinal);
        Assert.EndsWith($"; the newest good checkpoint is {found.Folder}", notice, StringComparison.Ordinal);

        // Nothing is left to go on from.
        File.Delete(Path.Combine(found.Folder, name));
        string message = UserErrors.Message(() => CheckpointSearch.Find(folder.Root, notices.Add));
        Assert.Contains("holds no checkpoint that can be resumed from: ", message, StringComparison.Ordinal);
        Assert.EndsWith(", and 1 older ones cannot be used either", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"HeadTokens\": 64", "\"HeadTokens\": -1", "head tokens")]
    [InlineData(",\n    \"HeadTokens\": 64", "", "HeadTokens")]
    [InlineData("\"ChunksPerRound\": 1,", "\"ChunksPerRound\": 16777216,", "chunks per round")]
    [InlineData("\"ChunksPerRound\": 1,", "\"ChunksPerRound\": 1048576,", "more than can be planned")]
    [InlineData("\"Seqlen\": 64", "\"Seqlen\": 0", "seqlen")]
    [InlineData("\"Rounds\": 1", "\"Rounds\": 2", "2 rounds of 1 chunks of 64 tokens do not hold 1 rows of 64 tokens")]
    [InlineData("\"VocabularyBlocks\": 1", "\"VocabularyBlocks\": 1e9", "JSON value could not be converted")]
    [InlineData("\"Step\": 2", "\"Step\": -2", "its step is -2")]
    [InlineData("\"Seed\": 7", "\"Seed\": 7, \"Seeds\": 8", "Seeds")]
    [InlineData("\"Recipe\": \"bf16-master\"", "\"Recipe\": \"fp64\"", "its recipe is none of fp32, bf16,")]
    [InlineData("\"Recipe\": \"bf16-master\"", "\"Recipe\": \"bf16\"", "lists other files than a run with bf16 has")]
    [InlineData("\"Optimizer\": \"adamw\"", "\"Optimizer\": \"adagrad\"", "its optimizer is none of adamw")]
    [InlineData("dataflow checkpoint 2", "dataflow checkpoint 9", "another version of this program")]
    [InlineData("\"lr\": \"0.003\"", "\"lr\": null", "a value in it is null")]
    [InlineData("\"config.json\": {", "\"config.json\": null, \"x\": {", "a value in it is null")]
    [InlineData("\"Geometry\": {", "\"Geometry\": null, \"Other\": {", "cannot be used")]
    public void A_description_that_is_signed_is_validated_like_a_command_line(string from, string to, string fault)
    {
        Edit(from, to);
        Assert.Contains(fault, Refusal(), StringComparison.Ordinal);
        Assert.Equal(1, CheckpointSearch.Find(folder.Root, notices.Add).Progress.Step);
    }

    [Fact]
    public void A_checkpoint_that_names_no_optimizer_is_of_AdamW()
    {
        float[] saved = SampleRun.Load(newest);
        Edit(",\n  \"Optimizer\": \"adamw\"", "");
        var found = CheckpointSearch.Find(folder.Root, notices.Add);
        Assert.Equal((2, "adamw"), (found.Progress.Step, found.Progress.Optimizer));
        Assert.Equal(saved, SampleRun.Load(found));
    }

    [Fact, Trait("Soak", "true")]
    public void Whatever_a_signed_description_says_ends_in_success_or_in_a_sentence()
    {
        const int seed = 2500;
        var random = new Random(seed);
        string path = Path.Combine(newest.Folder, CheckpointFiles.State), text = File.ReadAllText(path).TrimEnd();
        string[] pieces =
        [
            "null", "-1", "1e999", "9223372036854775808", "\"\\ud800\"", "{}", "[]", "true", "\"\"",
            ",", "}", "\0", "\u00e9", "16777216", "0", "\"Step\": 1,", "0.5", "[[[[",
        ];
        int mutations = IsSoak ? 2500 : 100, refused = 0;
        for (int i = 0; i < mutations; i++)
        {
            var mutated = new StringBuilder(text);
            for (int edits = random.Next(1, 4); edits > 0; edits--)
            {
                // A value or a run of characters gives way to another.
                int at = random.Next(50, mutated.Length), length = Math.Min(random.Next(0, 12), mutated.Length - at);
                mutated.Remove(at, length).Insert(at, pieces[random.Next(pieces.Length)]);
            }

            Sign(path, mutated.ToString());
            try
            {
                var read = StoredCheckpoint.Read(newest.Folder);
                Assert.True(read.Progress.Settings.Count + read.State.NotFinite.Count + read.Progress.Geometry.HeadTokens > 0);
            }
            catch (DamagedCheckpointException e)
            {
                Assert.True(e.Message.Length < 1000 && !e.Message.Contains('\n'), e.Message);
                refused++;
            }
        }

        output.WriteLine($"{mutations} mutations of state.json, {refused} refused, seed {seed}: each a sentence or success");
    }

    [Fact]
    public void A_checkpoint_of_the_first_versions_is_told_from_a_damaged_one()
    {
        File.WriteAllText(Path.Combine(newest.Folder, CheckpointFiles.State), "{\n  \"Step\": 2,\n  \"Seed\": 0\n}");
        Assert.Contains("saved by an early version of this program, without checksums", Refusal(), StringComparison.Ordinal);
        Assert.Equal(1, CheckpointSearch.Find(folder.Root, notices.Add).Progress.Step);
    }

    [Fact]
    public void Files_are_read_once_and_in_order()
    {
        string path = folder.Put("file", [.. Enumerable.Range(0, 100_000).Select(i => (byte)(i * 31))]);
        byte[] content = File.ReadAllBytes(path);
        var random = new Random(4);
        for (int round = 0; round < 20; round++)
        {
            using var file = ReadOnlyFile.OpenChecked(path);
            for (int i = 0; i < 20; i++)
            {
                int first = random.Next(content.Length);
                byte[] piece = new byte[random.Next(content.Length - first)];
                file.Read(first, piece);
                Assert.Equal(content[first..(first + piece.Length)], piece);
            }

            Assert.Equal(FileChecksum.Of(content), file.ChecksumToEnd(1 + random.Next(5000)));
        }
    }

    private static void Flip(string file, byte[] content, int bit)
    {
        byte[] changed = [.. content];
        changed[bit / 8] ^= (byte)(1 << (bit % 8));
        File.WriteAllBytes(file, changed);
    }

    /// <summary>What is said to one who names the newest checkpoint itself.</summary>
    private string Refusal() =>
        UserErrors.Message(() => CheckpointSearch.Find(newest.Folder, notices.Add), typeof(DamagedCheckpointException));

    private bool IsDamaged()
    {
        try
        {
            SampleRun.Load(StoredCheckpoint.Read(newest.Folder));
            return false;
        }
        catch (DamagedCheckpointException)
        {
            return true;
        }
    }

    /// <summary>Changes state.json as someone would who knows how its checksum is made.</summary>
    private void Edit(string from, string to)
    {
        string path = Path.Combine(newest.Folder, CheckpointFiles.State), text = File.ReadAllText(path);
        Assert.Contains(from, text, StringComparison.Ordinal);
        Sign(path, text.Replace(from, to, StringComparison.Ordinal));
    }

    private static void Sign(string path, string text)
    {
        text = new Regex("(?<=\"Checksum\": \")[0-9a-f]{32}").Replace(text, new string('0', 32), 1);
        string checksum = FileChecksum.Of(Encoding.UTF8.GetBytes(text));
        File.WriteAllText(path, new Regex("(?<=\"Checksum\": \")0{32}").Replace(text, checksum, 1));
    }
}
