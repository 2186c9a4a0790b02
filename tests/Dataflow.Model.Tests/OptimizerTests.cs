namespace Dataflow.Model.Tests;

public sealed class OptimizerTests
{
    [Theory]
    [InlineData("fp32", 16)]
    [InlineData("bf16", 8)]
    [InlineData("bf16-sr", 10)]
    [InlineData("bf16-master", 18)]
    public void AdamW_has_two_moments_of_each_parameter_and_a_master_weight_where_the_recipe_says_so(
        string dtype,
        long bytes
    )
    {
        var recipe = Recipe.All.Single(r => r.Name == dtype);
        Assert.Equal(bytes, Optimizer.AdamW.BytesPerParameter(recipe));
        string[] master = recipe.Master is null ? [] : ["master_weights"];
        Assert.Equal(
            ["first_moments", "second_moments", .. master],
            Optimizer.AdamW.State(recipe).Select(p => p.Name)
        );
    }

    [Fact]
    public void Parts_of_the_state_are_all_of_it_and_master_weights_the_last()
    {
        foreach (
            var (optimizer, recipe) in Optimizer.All.SelectMany(o => Recipe.All.Select(r => (o, r)))
        )
        {
            var parts = optimizer.State(recipe);
            Assert.Equal(parts.Length, parts.Select(p => p.Name).Distinct().Count());
            Assert.Equal(recipe.Master is not null, parts[^1].IsMaster);
            Assert.DoesNotContain(parts.SkipLast(1), p => p.IsMaster);
        }
    }

    [Fact]
    public void Optimizers_have_names_and_defaults_of_their_own()
    {
        foreach (var optimizer in Optimizer.All)
        {
            Assert.Same(optimizer, Optimizer.Named(optimizer.Name));
            Assert.InRange(optimizer.Moments.Length, 1, Optimizer.MostMoments);
            Assert.Equal(optimizer.Moments.Length, optimizer.Moments.Distinct().Count());
            foreach (var number in Hyperparameter.All.Except(optimizer.Hyperparameters))
            {
                Assert.Equal(0, optimizer.Defaults[number]);
            }

            foreach (var number in optimizer.Hyperparameters)
            {
                Assert.InRange(optimizer.Defaults[number], number.Least, number.Below);
                Assert.Equal(0.5f, optimizer.Defaults.With(number, 0.5f)[number]);
            }
        }

        Assert.Null(Optimizer.Named("adagrad"));
    }
}
