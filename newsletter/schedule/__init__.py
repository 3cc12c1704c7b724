"""From a category's cadence to the slots, issues and deliveries that fall due."""
