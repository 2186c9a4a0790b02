using Dataflow.Model;
using Dataflow.Baseline;

namespace Dataflow.Baseline.Tests;

/// <summary>Sizes and stages against values worked out from the published system's sources, and requests outside its sweeps.</summary>
public class BaselinePlannerTests
{
    private static readonly int[] s_hostGiB = [16, 64, 192, 640, 4096];
    private static readonly int[] s_deviceGiB = [8, 16, 24, 40, 80, 141];
    private static readonly int[] s_seqlens = [1, 512, 3000, 8192, 20000, 65536, 1048576];

    public static TheoryData<string, string> ModelsAndMachines
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string model in new[] { "nano", "micro", "1b", "8b", "15b", "32b", "70b" })
            {
                foreach (var machine in BaselineMachine.All)
                {
                    data.Add(model, machine.Name);
                }
            }

            return data;
        }
    }

    [Theory]
    [InlineData("1b", 121_643_008)]
    [InlineData("8b", 436_224_000)]
    [InlineData("15b", 436_224_000)]
    [InlineData("32b", 975_196_160)]
    public void A_block_takes(string model, long bytes) => Assert.Equal(bytes, BlockSizes.Of(Models.Load(model)).Block.Value);

    [Theory]
    [InlineData("1b", 8192, 50_397_184, 85_000_192, 420_544_512)]
    [InlineData("8b", 8192, 100_728_832, 168_886_272, 772_866_048)]
    [InlineData("32b", 8192, 117_506_048, 202_702_848, 1_276_444_672)]
    [InlineData("1b", 16384, 100_794_368, 170_000_384, 841_089_024)]
    [InlineData("15b", 16384, 201_457_664, 337_772_544, 1_545_732_096)]
    [InlineData("32b", 16384, 235_012_096, 405_405_696, 2_552_889_344)]
    public void Levels_take(string model, int tokens, long inputOnly, long attention, long full)
    {
        var sizes = ActivationSizes.Of(Models.Load(model), tokens);
        Assert.Equal((inputOnly, attention, full), (sizes.InputOnly.Value, sizes.Attention.Value, sizes.Full.Value));
    }

    [Theory]
    [InlineData(512, 16384, 1, 32)]
    [InlineData(3000, 18000, 1, 6)]
    [InlineData(16384, 16384, 1, 1)]
    [InlineData(20000, 20000, 1, 1)]
    [InlineData(100000, 20000, 5, 1)]
    [InlineData(1000003, 1000003, 1, 1)] // a prime
    public void Sequences_are_packed_or_cut(int seqlen, int tokens, int chunks, int sequences) =>
        Assert.Equal(new Chunking(tokens, chunks, sequences, 1), Chunking.Of(Models.Load("8b"), seqlen, 16384));

    // Asked: GiB of host and of device memory, and the length. Cut: chunks of a round and sequences of a chunk; on the device, blocks of
    // weights and of gradients and pairs of layer and chunk, and pairs at home. Counts after the correction for the link; in the comment
    // those before it, where it changes them.
    [Theory]
    [InlineData("H100", "8b", new[] { 75, 78, 8192 }, 553_746_432, 20_527_120_384, "1/2, 26/26/26/6", "0/0/6", "0/0/6")]
    [InlineData("H100", "8b", new[] { 75, 24, 8192 }, 553_746_432, 20_527_120_384, "1/2, 2/2/2/30", "0/30/0", "0/30/0")] // 0/20/10
    [InlineData("H100", "8b", new[] { 144, 78, 65536 }, 1_021_362_176, 22_202_695_680, "4/1, 9/8/35/93", "0/40/53", "0/40/53")]
    [InlineData("H100", "8b", new[] { 496, 77, 1048576 }, 9_074_425_856, 54_414_950_400, "64/1, 1/1/17/2031", "1677/354/0", "1677/354/0")]
    [InlineData("H100", "1b", new[] { 24, 16, 1024 }, 378_273_792, 14_773_207_040, "1/16, 3/2/2/14", "0/14/0", "0/14/0")] // 0/0/14
    [InlineData("H100", "32b", new[] { 416, 77, 65536 }, 1_089_794_048, 29_728_608_256, "4/1, 5/4/17/239", "0/195/44", "0/196/43")]
    [InlineData("RTX5090", "8b", new[] { 96, 30, 8192 }, 1_980_776_448, 16_275_030_016, "1/1, 10/9/9/23", "0/0/23", "0/0/23")]
    [InlineData("RTX3090", "8b", new[] { 64, 20, 8192 }, 415_531_008, 14_709_784_576, "1/1, 4/4/4/28", "0/19/9", "0/21/7")]
    public void Stages_decide(
        string machine, string model, int[] asked, long workspace, long sticky, string cut, string counted, string placed)
    {
        var plan = Assert.IsType<BaselineResult.Feasible>(Plan(model, machine, asked[2], asked[0], asked[1])).Plan;
        var device = plan.Device;
        Assert.Equal(
            cut,
            $"{plan.Chunking.ChunksPerRound}/{plan.Chunking.SequencesPerChunk}, "
                + $"{device.WeightBlocks}/{device.GradientBlocks}/{device.DevicePairs}/{device.HomePairs}"
        );
        Assert.Equal((workspace, sticky), (plan.Workspace.Value, plan.Sticky.Value));
        Assert.Equal(counted, $"{plan.Counted.InputOnly}/{plan.Counted.Attention}/{plan.Counted.Full}");
        Assert.Equal(placed, string.Join('/', Enum.GetValues<SaveLevel>().Select(plan.Placement.Count)));
    }

    [Theory, MemberData(nameof(ModelsAndMachines))]
    public void Any_request_has_an_answer(string model, string machine)
    {
        foreach (int seqlen in s_seqlens)
        {
            foreach (int host in s_hostGiB)
            {
                foreach (int device in s_deviceGiB)
                {
                    if (Plan(model, machine, seqlen, host, device) is BaselineResult.Feasible { Plan: var plan })
                    {
                        CheckPlan(plan);
                    }
                }
            }
        }

        Assert.IsType<BaselineResult.Feasible>(Plan(model, machine, 8192, 4096, 141));
    }

    [Fact]
    public void An_H200_is_planned_for_as_an_H100()
    {
        var h100 = Assert.IsType<BaselineResult.Feasible>(Plan("8b", "H100", 8192, 128, 40)).Plan;
        var h200 = Assert.IsType<BaselineResult.Feasible>(Plan("8b", "H200", 8192, 128, 40)).Plan;
        Assert.Equal(
            (h100.Device, h100.Counted, h100.Rounds, h100.UsedHost, h100.UsedDevice),
            (h200.Device, h200.Counted, h200.Rounds, h200.UsedHost, h200.UsedDevice)
        );
    }

    [Fact]
    public void The_profiles_of_its_machines_agree_with_it()
    {
        var profiles = Directory.GetFiles(Path.Combine(Checkout.Root, "profiling", "hardware"), "*.json")
            .Select(f => HardwareProfileReader.Parse(File.ReadAllText(f), f)).ToList();
        foreach (var machine in BaselineMachine.All)
        {
            var profile = Assert.Single(profiles, p => p.IsCalled(machine.Name));
            Assert.Same(machine, BaselineMachine.Of(profile));
            Assert.Equal(machine.MinChunkTokens, profile.ReferenceMinChunkTokens!.Value);
            Assert.Equal(machine.SmCount, profile.SmCount!.Value);
            Assert.Equal(machine.Capability, profile.ComputeCapability);
            Assert.InRange(machine.PeakFlopsPerSecond / profile.PeakFlopsPerSecond(DType.BFloat16), 0.99, 1.01);
        }

        var unknown = Assert.Throws<UserErrorException>(() => BaselineMachine.Of(profiles.Single(p => p.Name == "b200")));
        Assert.Equal(
            "policy reference knows the machines of the published system, H100, H200, A100, RTX5090, RTX4090, RTX3090, and b200 is none "
                + "of them: choose one of these or another policy",
            unknown.Message);
    }

    [Fact]
    public void Models_that_the_published_system_cannot_express_are_refused()
    {
        var model = Models.Load("8b");
        ModelConfig[] others =
        [
            model with { TiedEmbedding = true },
            model with { QkNorm = true },
            model with { HeadDim = 64 },
            model with { Pattern = new LayerPattern(new LayerKind(model.FfnDim, 128)) },
            model with { Norm = NormKind.Layer },
            model with { Placement = NormPlacement.After },
            model with { Biases = Biases.Qkv },
            model with { GatedFfn = false },
        ];
        foreach (var other in others)
        {
            var request = new BaselineRequest(
                other,
                BaselineMachine.All[0],
                8192,
                new MemoryBudget(Bytes.FromGiB(75), Bytes.FromGiB(78))
            );
            Assert.Contains(
                "which the published system does not have",
                Assert.Throws<UserErrorException>(() => BaselinePlanner.Plan(request)).Message,
                StringComparison.Ordinal
            );
        }
    }

    /// <summary>
    /// With all of a long sequence but a few chunks of the first layer on the device, and host memory for the least of these alone.
    /// </summary>
    [Fact]
    public void Less_than_a_layer_that_goes_home_is_saved_with_attention_or_not_planned()
    {
        var plan = Enumerable.Range(40, 200).Select(gib => Plan("8b", "H200", 65536, 4096, gib)).OfType<BaselineResult.Feasible>()
            .Select(r => r.Plan).First(p => p.Device.HomePairs is > 0 and < 4);
        var stateAlone = plan.UsedHost - plan.Placement.Size(plan.Activations);
        Assert.Equal(BaselineLimit.Placement, LimitWith(stateAlone + (plan.Activations.InputOnly * plan.Device.HomePairs)));
        Assert.Null(LimitWith(stateAlone + (plan.Activations.Attention * plan.Device.HomePairs)));

        BaselineLimit? LimitWith(Bytes host) => LimitOf(plan.Request with { Budget = plan.Request.Budget with { Host = host } });
    }

    /// <summary>In wide models two moments of a block are more than the activations that they replace.</summary>
    [Fact]
    public void A_block_that_could_not_be_updated_is_not_planned()
    {
        var wide = Models.Load("70b") with { ModelDim = 32768, HeadCount = 256, FfnDim = 114688 };
        var limits = Enumerable
            .Range(1, 600)
            .Select(gib =>
                LimitOf(
                    new BaselineRequest(wide, BaselineMachine.All[^1], 8192, new MemoryBudget(Bytes.FromGiB(16384), Bytes.FromGiB(gib)))
                )
            );
        Assert.Equal([BaselineLimit.Sticky, BaselineLimit.Minimum, BaselineLimit.OptimizerSlots, null], limits.Distinct().Take(4));
    }

    private static BaselineLimit? LimitOf(BaselineRequest request) =>
        (BaselinePlanner.Plan(request) as BaselineResult.Infeasible)?.Limit;

    private static void CheckPlan(BaselinePlan plan)
    {
        var (request, geometry) = (plan.Request, plan.Geometry);
        int layers = request.Model.LayerCount, chunks = geometry.ChunksPerRound;
        Assert.True(plan.UsedHost <= request.Budget.Host && plan.UsedDevice <= request.Budget.Device);
        Assert.Equal((long)geometry.Rounds * chunks * geometry.ChunkTokens, geometry.TokensPerStep);
        Assert.InRange(plan.Device.WeightBlocks, 1, layers);
        Assert.InRange(plan.Device.WeightBlocks - plan.Device.GradientBlocks, 0, 1);
        Assert.Equal(layers * chunks, plan.Device.DevicePairs + plan.Device.HomePairs);
        Assert.Equal(plan.Device.HomePairs, plan.Counted.Home);
        Assert.Equal(plan.Device.HomePairs, plan.Placement.Levels.Length);
        Assert.Equal(plan.Counted.InputOnly, plan.Placement.Count(SaveLevel.InputOnly));
        Assert.InRange(plan.Placement.Count(SaveLevel.Full), 0, plan.Counted.Full);
        Assert.Equal(SaveLevel.Full, plan.LevelOf(new Layer(layers - 1), new Chunk(chunks - 1)));
        Assert.True(plan.OptimizerSlots >= 1 && plan.ThroughputAt(1).Hfu > plan.ThroughputAt(1).Mfu);
    }

    private static BaselineResult Plan(string model, string machine, int seqlen, int hostGiB, int deviceGiB) =>
        BaselinePlanner.Plan(
            new BaselineRequest(
                Models.Load(model),
                BaselineMachine.All.Single(m => m.Name == machine),
                seqlen,
                new MemoryBudget(Bytes.FromGiB(hostGiB), Bytes.FromGiB(deviceGiB))
            )
        );
}
