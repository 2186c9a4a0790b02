using System.Reflection;
using System.Text.Json.Nodes;
using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Cli.Tests;

/// <summary>The cache of choices saves time and nothing else: no plan depends on it, and no run fails by it.</summary>
public class PlanCacheTests
{
    private static readonly HardwareProfile Machine = HardwareFiles.Load("cpu");
    private static readonly PlanRequest Request = RequestOf(4 << 20);

    private static PlanRequest RequestOf(long device, GeometryPins? pins = null, SaveSet? saved = null)
    {
        using var source = ModelSource.Open("nano");
        var budget = new MemoryBudget(new Bytes(64 << 20), new Bytes(device));
        var options = new PlanOptions
        {
            Model = "nano",
            Seqlen = 64,
            GlobalBatch = 1024,
            Pins = pins ?? new GeometryPins(),
            SaveSet = saved,
            Device = DeviceOptions.Cpu,
        };
        return options.Request(source.Model, WorkloadKind.Training, budget);
    }

    private static TrainingPlan Plan(PlanCache cache, PlanRequest? request = null) =>
        Assert.IsType<PlanResult.Feasible>(new BudgetSearch(request ?? Request, Machine, cache).Plan((request ?? Request).Budget)).Plan;

    private static PlanChoice ChoiceOf(TrainingPlan plan) => new(plan.Workload.Geometry, plan.Residency);

    [Fact]
    public void What_was_found_is_kept_and_found_again_as_the_same_plan()
    {
        using var scratch = new ScratchFolder();
        string fresh = Plan(PlanCache.None).Hash;
        Assert.Empty(Directory.GetFiles(scratch.Path));
        Assert.Equal(fresh, Plan(new PlanCache(scratch.Path)).Hash);
        Assert.Equal([PlanKey.Of(Request, Machine) + ".json"], Directory.GetFiles(scratch.Path).Select(Path.GetFileName));
        Assert.Equal(fresh, Plan(new PlanCache(scratch.Path)).Hash);
        var (again, found) = new BudgetSearch(Request, Machine, new PlanCache(scratch.Path)).Search(Request.Budget);
        Assert.Equal((fresh, ChoiceOf(Plan(PlanCache.None))), (((PlanResult.Feasible)again).Plan.Hash, found!.Best.Choice));
    }

    /// <summary>A state space may have no bound for its steps, for which JSON has no number.</summary>
    [Fact]
    public void Models_with_states_have_keys_of_their_own()
    {
        string[] names = ["qwen3.5", "qwen3.5-odd", "granite-hybrid", "granite-hybrid-groups"];
        string[] keys =
        [
            .. names.Select(name =>
            {
                using var source = ModelSource.Open(Path.Combine(Programs.Root, "tests", "golden-families", name));
                return PlanKey.Of(Request with { Model = source.Model }, Machine);
            }),
        ];
        Assert.Equal(names.Length, keys.Distinct().Count());
    }

    [Fact]
    public void What_it_knows_is_not_searched_for()
    {
        // A sound choice that no search makes for the budget shows that none was asked.
        using var scratch = new ScratchFolder();
        var (cache, other) = (
            new PlanCache(scratch.Path),
            Plan(PlanCache.None, RequestOf(4 << 20, new GeometryPins(ChunkTokens: 64), SaveSet.None))
        );
        Assert.NotEqual(Plan(PlanCache.None).Hash, other.Hash);
        cache.Write(PlanKey.Of(Request, Machine), new CachedChoice(ChoiceOf(other), other.Hash));
        Assert.Equal(other.Hash, Plan(cache).Hash);
    }

    public static TheoryData<string, Func<string, string>> Damages => new()
    {
        { "empty", _ => "" },
        { "cut short", text => text[..(text.Length / 2)] },
        { "no JSON", _ => "{{{" },
        { "null", _ => "null" },
        { "a list", _ => "[]" },
        { "a key twice", text => text.Replace("{\"version\":1", "{\"version\":1,\"version\":1", StringComparison.Ordinal) },
        { "a later version", text => text.Replace("\"version\":1", "\"version\":2", StringComparison.Ordinal) },
        { "a version in words", text => text.Replace("\"version\":1", "\"version\":\"one\"", StringComparison.Ordinal) },
        { "another key", text => text.Replace("\"key\":\"", "\"key\":\"0", StringComparison.Ordinal) },
        { "another number", text => text.Replace("\"rows\":16", "\"rows\":1600000000", StringComparison.Ordinal) },
        { "another plan", text => text.Replace("\"plan_hash\":\"", "\"plan_hash\":\"0", StringComparison.Ordinal) },
        { "a field less", text => Sound(text, residency => residency.Remove("weight_slots")) },
        { "a field more", text => Sound(text, residency => residency["future"] = 1) },
        { "a field of another type", text => Sound(text, residency => residency["weight_slots"] = "two") },
        { "no such save set", text => Sound(text, residency => residency["travelling"] = "most") },
        { "a save set that is a number", text => Sound(text, residency => residency["travelling"] = 3) },
        { "absurd slots", text => Sound(text, residency => residency["weight_slots"] = -7) },
        { "endless segments", text => Sound(text, residency => residency["window_segments"] = int.MaxValue) },
        { "endless residents", text => Sound(text, residency => residency["resident_chunks"] = int.MaxValue) },
        { "endless pieces", text => Sound(text, residency => residency["resident_pieces"] = int.MaxValue) },
        { "no head tokens", text => Sound(text, geometry => geometry.Remove("head_tokens"), "geometry") },
        { "zero head tokens", text => Sound(text, geometry => geometry["head_tokens"] = 0, "geometry") },
        { "negative head tokens", text => Sound(text, geometry => geometry["head_tokens"] = -1, "geometry") },
        { "endless rounds", text => Sound(text, geometry => geometry["rounds"] = int.MaxValue, "geometry") },
        { "endless chunks", text => Sound(text, geometry => geometry["chunks_per_round"] = 16777216, "geometry") },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void What_is_damaged_counts_as_not_there_and_is_replaced(string what, Func<string, string> damage)
    {
        using var scratch = new ScratchFolder();
        string hash = Plan(new PlanCache(scratch.Path)).Hash;
        string file = Assert.Single(Directory.GetFiles(scratch.Path));
        string sound = File.ReadAllText(file);
        Assert.NotEqual(sound, damage(sound));
        File.WriteAllText(file, damage(sound));
        Assert.True(hash == Plan(new PlanCache(scratch.Path)).Hash, what);
        Assert.Equal(sound, File.ReadAllText(file));
    }

    [Fact]
    public void A_folder_that_cannot_be_used_is_no_reason_to_fail()
    {
        using var scratch = new ScratchFolder();
        string hash = Plan(PlanCache.None).Hash;
        File.WriteAllText(scratch.File("file"), "");
        Directory.CreateDirectory(Path.Combine(scratch.File("taken"), PlanKey.Of(Request, Machine) + ".json"));
        Assert.All([scratch.File("file"), scratch.File("file/below"), scratch.File("taken"), "/proc/plans", "/dev/null/plans"], folder =>
            Assert.Equal(hash, Plan(new PlanCache(folder)).Hash)
        );
        Assert.Equal("", File.ReadAllText(scratch.File("file")));

        if (!OperatingSystem.IsWindows() && Environment.UserName != "root") // whom no mode keeps from writing
        {
            File.SetUnixFileMode(scratch.Path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
            Assert.Equal(hash, Plan(new PlanCache(scratch.Path)).Hash);
            File.SetUnixFileMode(scratch.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    [Fact]
    public void Of_too_many_files_the_older_ones_go()
    {
        using var scratch = new ScratchFolder();
        for (int i = 0; i < 9; i++)
        {
            File.WriteAllText(scratch.File($"{i}.json"), "");
            File.SetLastWriteTimeUtc(scratch.File($"{i}.json"), DateTime.UnixEpoch.AddDays(i));
        }

        var plan = Plan(PlanCache.None);
        new PlanCache(scratch.Path, mostFiles: 9).Write("full", new CachedChoice(ChoiceOf(plan), plan.Hash));
        Assert.Equal(10, Directory.GetFiles(scratch.Path).Length);
        new PlanCache(scratch.Path, mostFiles: 9).Write("more", new CachedChoice(ChoiceOf(plan), plan.Hash));
        Assert.Equal(
            ["6.json", "7.json", "8.json", "full.json", "more.json"],
            Directory.GetFiles(scratch.Path).Select(Path.GetFileName).Order()
        );
    }

    [Fact]
    public void The_key_is_all_that_an_answer_depends_on()
    {
        using var micro = ModelSource.Open("micro");
        PlanRequest[] others =
        [
            Request with { Model = micro.Model },
            Request with { Model = Request.Model with { RopeTheta = 1 } },
            Request with { Recipe = Recipe.Bf16Stochastic },
            Request with { Kind = WorkloadKind.ClippedTraining },
            Request with { Seqlen = 32 },
            Request with { Rows = 8 },
            Request with { Rows = null },
            Request with { Pins = new GeometryPins(VocabularyBlocks: 1) },
            Request with { Budget = Request.Budget with { Host = Request.Budget.Host + new Bytes(1) } },
            Request with { Budget = Request.Budget with { Device = Request.Budget.Device + new Bytes(1) } },
            Request with { SaveSet = SaveSet.None },
            Request with { Model = Request.Model.Freezing(["model.embed_tokens.*"]) },
            Request with { Reserve = new DeviceReserve(new Bytes(1)) },
        ];
        var faster = Machine with
        {
            KernelLaunchSeconds = Machine.KernelLaunchSeconds with { Value = Machine.KernelLaunchSeconds.Value / 2 },
        };
        string own = PlanKey.Of(Request, Machine);
        Assert.Equal(own, PlanKey.Of(RequestOf(4 << 20), HardwareFiles.Load("cpu")));
        Assert.Equal(
            others.Length + 2,
            others.Select(o => PlanKey.Of(o, Machine)).Append(PlanKey.Of(Request, faster)).Append(own).Distinct().Count()
        );

        // Budgets alone do not part what shares a search.
        Assert.Equal(
            3,
            others.Select(o => PlanKey.OfSearch(o, Machine)).Append(PlanKey.OfSearch(Request, Machine)).GroupBy(k => k).Max(g => g.Count())
        );
    }

    [Fact]
    public void No_field_of_a_choice_is_lost()
    {
        var choice = ChoiceOf(Plan(PlanCache.None));
        Assert.Equal(choice, PlanChoiceJson.Parse(PlanChoiceJson.Of(choice)));
        int fields =
            Changed(choice.Geometry, g => choice with { Geometry = g }, choice)
            + Changed(choice.Residency, r => choice with { Residency = r }, choice);
        Assert.True(fields >= 20, $"{fields} fields");
        foreach (int set in Enumerable.Range(0, (int)SaveSet.All + 1))
        {
            var saved = choice with { Residency = choice.Residency with { Travelling = (SaveSet)set } };
            Assert.Equal(saved, PlanChoiceJson.Parse(PlanChoiceJson.Of(saved)));
        }
    }

    [Fact]
    public void Programs_keep_what_they_find_in_the_checkout_and_nothing_without_cache()
    {
        // Budgets that nobody else asks for.
        var request = RequestOf((4 << 20) + 12_345);
        string file = Path.Combine(
            Programs.Root,
            ".cache",
            "plans",
            PlanKey.Of(request, HardwareFiles.ThisMachine(DeviceKind.Cpu, named: null)!) + ".json"
        );
        if (File.Exists(file))
        {
            File.Delete(file); // of an earlier run; on a new checkout there is no folder yet
        }

        string arguments = $"plan nano --seqlen 64 --device-memory {request.Budget.Device.Value}B --host-memory 64MiB --global-batch 1024";
        string without = Programs.Good(Programs.Dataflow(arguments + " --no-cache"));
        Assert.False(File.Exists(file));
        string first = Programs.Good(Programs.Dataflow(arguments));
        Assert.True(File.Exists(file));
        Assert.Equal((without, without), (first, Programs.Good(Programs.Dataflow(arguments))));
        File.Delete(file);
    }

    /// <summary>Changes each settable field in turn, reads every change back, and counts them.</summary>
    private static int Changed<T>(T value, Func<T, PlanChoice> within, PlanChoice original)
        where T : class
    {
        var fields = typeof(T).GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.CanWrite).ToList();
        var clone = typeof(T).GetMethod("<Clone>$")!;
        foreach (var field in fields)
        {
            object? other = field.GetValue(value) switch { int i => i + 1, bool b => !b, SaveSet s => s ^ SaveSet.Query, _ => null };
            if (other is not null)
            {
                var changed = (T)clone.Invoke(value, null)!;
                field.SetValue(changed, other);
                Assert.NotEqual(original, within(changed));
                Assert.Equal(within(changed), PlanChoiceJson.Parse(PlanChoiceJson.Of(within(changed))));
                Assert.Single(PlanChoiceJson.Differences(within(changed), original));
            }
        }

        return fields.Count;
    }

    /// <summary>A file with another residency (or geometry) and the hash that goes with it.</summary>
    private static string Sound(string text, Action<JsonObject> change, string part = "residency")
    {
        var file = JsonNode.Parse(text)!.AsObject();
        change(file["choice"]![part]!.AsObject());
        file["choice_hash"] = Convert.ToHexStringLower(
            System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(file["choice"]!.ToJsonString()))
        );
        return file.ToJsonString();
    }
}
